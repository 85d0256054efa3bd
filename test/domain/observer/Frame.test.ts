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

  it("goes with each key by so many rows, between the first and the last, and keeps what is looked at in sight", () => {
    const height = 14
    const inSight = rowsIn(height)
    const branch = { kind: "supervisor", below: 3 } as const
    // Two branches of three, the second closed.
    const rows = [0, 1, 1, 1, 0].map((depth, i) =>
      row(i, `${i}`, { depth, ...(depth === 0 ? { ...branch, isOpen: i === 0 } : {}) })
    )
    const seen = screen(rows, { total: 40 })
    const from = (at: number) => ({ ...looking, at })
    const table: ReadonlyArray<readonly [key: string, at: number, to: number]> = [
      ["down", 0, 1],
      ["up", 1, 0],
      ["up", 0, 0],
      ["down", 39, 39],
      ["pagedown", 1, 1 + inSight],
      ["pageup", 1 + inSight, 1],
      ["pagedown", 36, 39],
      ["home", 7, 0],
      ["end", 7, 39],
      // Into an open branch, out of a leaf to what it is under, out of a root to the beginning.
      ["right", 0, 1],
      ["right", 2, 3],
      ["left", 3, 0],
      ["left", 4, 0],
      // A row out of sight cannot be opened.
      ["right", 20, 21]
    ]
    for (const [key, at, to] of table) {
      const next = pressed(key, from(at), seen, height)
      assert(next !== "quit")
      assert.strictEqual(next.at, to, `${key} at ${at}`)
      assert.isTrue(next.from <= next.at && next.at < next.from + inSight)
      assert.deepStrictEqual([next.opened, next.closed, next.troubled], [[], [], false])
    }
    const shifted = screen(rows, { from: 10, total: 40 })
    assert.deepInclude(pressed("left", { ...from(13), from: 10 }, shifted, height), { at: 10, from: 10 })
    assert.deepInclude(
      pressed("left", { ...from(10), from: 10 }, screen(rows.slice(1), { from: 10, total: 40 }), height),
      { at: 9 }
    )
    assert.deepInclude(pressed("up", { ...from(10), from: 10 }, shifted, height), { at: 9, from: 9 })
    assert.strictEqual(pressed("x", looking, seen, height), looking)
    const other = { ...looking, opened: [7], closed: [8] }
    assert.deepInclude(pressed("right", { ...other, at: 4 }, seen, height), { at: 4, opened: [7, 4], closed: [8] })
    assert.deepInclude(pressed("left", { ...other, opened: [7, 0] }, seen, height), {
      at: 0,
      opened: [7],
      closed: [8, 0]
    })
    assert.deepInclude(pressed("!", { ...looking, at: 5, from: 2, troubled: true }, seen, height), {
      at: 0,
      from: 0,
      troubled: false
    })
  })

  it("shows in colors how each process is, and where the keys go", () => {
    const colored = { ...canvas, isColored: true, looking: { ...looking, at: 9 } }
    const drawn = (change: Partial<Row>, at = 9) =>
      frame(screen([row(1, "a", change)]), new Rates(), { ...colored, looking: { ...looking, at } })[3]!
    const codes = { running: 32, restarting: 33, parked: 31, stopped: 31, hibernating: 2 } as const
    for (const [status, code] of Object.entries(codes)) {
      assert.include(drawn({ status: status as Row["status"] }), `\u001b[${code}m ${status}`)
    }
    assert.match(drawn({}), /^ {4}a/)
    const starts = (line: string | undefined, text: string) => assert.strictEqual(line?.slice(0, text.length), text)
    starts(drawn({ below: 3 }), "\u001b[1m  ▸ a 3")
    const inverse = drawn({}, 0)
    assert.isTrue(inverse.startsWith("\u001b[7m") && inverse.endsWith("\u001b[0m"))
    assert.strictEqual(inverse.split("\u001b").length, 3)
    const lines = (alarms: Screen["alarms"], tone: "bad" | "warn") =>
      frame(
        screen([], {
          alarms,
          feed: [{ id: 1, path: [], title: "t", tone, began: 0, ended: null, cost: "", steps: [] }]
        }),
        new Rates(),
        colored
      )
    const alarm = { text: "Look.", n: null }
    starts(lines([], "bad")[1], "\u001b[32mAll is well")
    starts(lines([{ ...alarm, tone: "warn" }], "bad")[1], "\u001b[33mLook")
    starts(lines([{ ...alarm, tone: "warn" }, { ...alarm, tone: "bad" }], "bad")[1], "\u001b[31mLook.  Look")
    starts(lines([], "bad").at(-4), "\u001b[31m00:00:00    t ")
    starts(lines([], "warn").at(-4), "\u001b[2m00:00:00    t ")
    starts(lines([], "warn")[0], "\u001b[1mHeirloom")
  })

  it("cuts a name that has no room, and says so", () => {
    const drawn = frame(screen([row(1, "a".repeat(60), { depth: 0 })]), new Rates(), { ...canvas, width: 30 })
    assert.strictEqual(drawn[3], `  ${"a".repeat(27)}…`)
    assert.strictEqual(frame(screen([]), new Rates(), { ...canvas, width: 1 })[1], "…")
  })

  it("leaves out the columns to the right where there is no room for them", () => {
    const titles = (width: number) =>
      frame(screen([app]), new Rates(), { ...canvas, width })[2]!.trimEnd().split(/ {2,}|(?<=#) /)
    assert.deepStrictEqual(titles(41), ["Processes"])
    assert.deepStrictEqual(titles(42), ["Processes", "Status"])
    assert.deepStrictEqual(titles(47).at(-1), "#")
    assert.deepStrictEqual(titles(154).at(-1), "Restarts")
    assert.deepStrictEqual(titles(155).at(-1), "Last end")
    assert.match(
      frame(screen([]), new Rates(), { ...canvas, looking: { ...looking, troubled: true } })[2]!,
      /^In trouble /
    )
    const blank = frame(screen([], { totals: { ...screen([]).totals, recoveries: 0 } }), new Rates(), canvas)
    assert.notInclude(blank[0]!, "to recover")
    assert.strictEqual(blank.length, canvas.height)
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
