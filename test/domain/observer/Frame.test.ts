/** The terminal's view, as the lines that are drawn, and what keys do. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Canvas, frame, looking, pressed, rowsIn, spark } from "../../../src/domain/observer/Frame.ts"
import { Rates } from "../../../src/domain/observer/Rates.ts"
import type { Row, Screen } from "../../../src/domain/observer/Wire.ts"
import { laidOut } from "../../../src/domain/observer/Words.ts"

const row = (n: number, id: string, change: Partial<Row> = {}): Row => ({
  n,
  id,
  depth: 1,
  kind: "server",
  status: "running",
  incarnation: 1,
  below: null,
  isOpen: false,
  queued: 0,
  capacity: null,
  handled: 0,
  inHand: null,
  held: 0,
  quarantined: 0,
  budget: null,
  lastExit: null,
  ...change
})

const screen = (rows: ReadonlyArray<Row>, change: Partial<Screen> = {}): Screen => ({
  totals: {
    processes: 3,
    troubled: 0,
    messages: 0,
    queued: 2,
    crashes: 1,
    restarts: 1,
    rollbacks: 0,
    recoveries: 1,
    recoveryMillis: 12
  },
  alarms: [],
  stores: [],
  total: rows.length,
  from: 0,
  rows,
  chosen: null,
  feed: [],
  ...change
})

const app = row(1, "app", {
  depth: 0,
  kind: "supervisor",
  below: 2,
  isOpen: true,
  budget: { used: 2, restarts: 3, within: 5000 }
})
const clerk = row(2, "Clerk", { queued: 3, capacity: 12, inHand: { message: "File", since: 0 } })
const tally = row(3, "Tally", { incarnation: 4, status: "restarting", lastExit: "crashed: Error: tripped" })

const canvas: Canvas = { width: 160, height: 14, isColored: false, now: 3000, looking }

describe("the view in a terminal", () => {
  it("draws totals, rows, what has happened, and the keys", () => {
    const rates = new Rates()
    for (const i of [0, 1, 2, 3, 4]) rates.read(i * 500, [[0, i * 100], [2, i * 50]])
    const lines = frame(
      screen([app, clerk, tally], {
        feed: [{
          id: 1,
          path: ["app", "Tally"],
          title: "crashed: Error: tripped",
          tone: "good",
          began: 3_661_000,
          ended: 3_661_012,
          cost: "12 ms down",
          steps: []
        }]
      }),
      rates,
      canvas
    )
    assert.deepStrictEqual(lines.map((line) => line.trimEnd()), [
      "Heirloom   3 processes   200 messages/s             ████   2 waiting   1 crash   1 restart   12 ms to recover",
      "All is well.",
      "Processes                           Status      #    Mailbox     Messages/s            In hand                 Restarts          Last end",
      "▾ app 2                             running     1                                                              2 of 3 in 5 s",
      "    Clerk                           running     1    3 of 12             ████ 100      File for 3 s",
      "    Tally                           restarting  4    0                        0                                                  crashed: Error: tripped",
      "",
      "",
      "",
      "What has happened",
      "01:01:01  Tally  crashed: Error: tripped  (12 ms down)",
      "",
      "",
      "↑ ↓ move   → ← open, close   ! in trouble, or all   s sort   q quit"
    ])
  })

  it("says what is wrong in the second line", () => {
    const alarms = [{ tone: "bad", text: "Tally is parked.", n: 3 }] as const
    assert.match(frame(screen([app], { alarms }), new Rates(), canvas)[1]!, /^Tally is parked\. +$/)
    assert.include(frame(screen([app], { alarms }), new Rates(), { ...canvas, isColored: true })[1]!, "\u001b[31m")
  })

  it("shows no control character of the app's", () => {
    const name = "a\u001b[2Jb\nc\u009bd"
    const lines = frame(screen([row(1, name, { lastExit: name })]), new Rates(), canvas)
    assert.include(lines[3]!, "a·[2Jb·c·d")
    // oxlint-disable-next-line no-control-regex
    assert.notMatch(lines.join(""), /[\u0000-\u001f\u007f-\u009f]/)
  })

  const size = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))
  it.prop(
    "fits whatever terminal there is",
    [size(200), size(60), Schema.Array(Schema.String)],
    ([width, height, ids]) => {
      const rows = ids.map((id, i) => row(i, id, { depth: i % 5 }))
      const lines = frame(screen(rows), new Rates(), { ...canvas, width, height })
      assert.isAtMost(lines.length, height)
      for (const line of lines) assert.isAtMost(line.length, width)
    }
  )

  it("moves with the keys, and keeps the row in sight", () => {
    const rows = Array.from({ length: 30 }, (_, i) => row(i + 10, `${i}`))
    const height = 14
    const seen = (from: number) => screen(rows.slice(from, from + rowsIn(height)), { total: 30, from })
    let now = looking
    const press = (key: string) => {
      const next = pressed(key, now, seen(now.from), height)
      assert.notStrictEqual(next, "quit")
      if (next !== "quit") now = next
      return [now.at, now.from]
    }
    assert.deepStrictEqual(press("up"), [0, 0])
    assert.deepStrictEqual(press("down"), [1, 0])
    assert.deepStrictEqual(press("end"), [29, 24])
    assert.deepStrictEqual(press("pageup"), [23, 23])
    assert.deepStrictEqual(press("down"), [24, 23])
    assert.deepStrictEqual(press("home"), [0, 0])
    assert.strictEqual(pressed("q", now, seen(0), height), "quit")
  })

  it("opens and closes branches, and shows what is in trouble", () => {
    const seen = screen([{ ...app, isOpen: false }, clerk])
    const opened = pressed("right", looking, seen, 14)
    assert.deepInclude(opened, { opened: [1], closed: [] })
    const closed = pressed("left", opened as typeof looking, screen([app, clerk]), 14)
    assert.deepInclude(closed, { opened: [], closed: [1] })
    assert.deepInclude(pressed("left", { ...looking, at: 1 }, screen([app, clerk]), 14), { at: 0 })
    assert.deepInclude(pressed("!", { ...looking, at: 1 }, screen([app, clerk]), 14), { at: 0, troubled: true })
  })

  it("draws rates as bars", () => {
    assert.strictEqual(spark([0, 1, 2, 4, 8], 6), " ▁▁▂▄█")
    assert.strictEqual(spark([], 3), "   ")
  })
})

describe("JSON for people", () => {
  it("has on one line what fits there", () => {
    const long = { words: Array.from({ length: 4 }, (_, i) => [`a word of some length ${i}`, i]), none: {}, n: 1 }
    assert.strictEqual(
      laidOut(long),
      [
        "{",
        "  \"words\": [",
        "    [\"a word of some length 0\", 0],",
        "    [\"a word of some length 1\", 1],",
        "    [\"a word of some length 2\", 2],",
        "    [\"a word of some length 3\", 3]",
        "  ],",
        "  \"none\": {},",
        "  \"n\": 1",
        "}"
      ].join("\n")
    )
  })

  it.prop("is the same JSON", [Schema.Json], ([json]) => {
    assert.deepStrictEqual(JSON.parse(laidOut(json)), JSON.parse(JSON.stringify(json)))
  })
})
