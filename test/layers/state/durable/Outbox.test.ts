/** The commits of one companion that are on their way, held against a list of answers. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Held } from "../../../../src/layers/state/companion/Companion.ts"
import { Outbox } from "../../../../src/layers/state/durable/Outbox.ts"

/** An answer that waits, and what it was told. */
class Answer implements Held {
  isGone = false
  readonly seq: number
  private readonly told: Array<string>
  private readonly name: string

  constructor(name: string, seq: number, told: Array<string>) {
    this.name = name
    this.seq = seq
    this.told = told
  }

  stored(): void {
    this.told.push(`${this.name} stored`)
  }

  lost(): void {
    this.told.push(`${this.name} lost`)
  }
}

const Step = Schema.Struct({
  does: Schema.Literals([
    "commit",
    "commit",
    "cast",
    "written",
    "stored",
    "hold",
    "hold",
    "follow",
    "go",
    "begin",
    "end",
    "give up",
    "catch up",
    "release",
    "room",
    "empty",
    "settle"
  ]),
  by: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
})

describe("an outbox", () => {
  it.prop("releases answers in their order when what they were computed from is stored, and knows what is not", {
    steps: Schema.Array(Step)
  }, ({ steps }) => {
    const outbox = new Outbox()
    const told: Array<string> = []
    const expected: Array<string> = []
    let waiting: Array<{ readonly answer: Answer; readonly name: string; readonly isReader: boolean }> = []
    let [last, stored, casts, written, storedCasts, removals, count] = [0, 0, 0, 0, 0, 0, 0]
    let [room, empty]: ReadonlyArray<string | undefined> = []
    const releasing = (upTo: number, how: string) => {
      const out = waiting.findIndex(({ answer }) => answer.seq > upTo)
      const first = waiting.slice(0, out === -1 ? undefined : out)
      waiting = waiting.slice(first.length)
      expected.push(...first.map(({ name }) => `${name} ${how}`))
    }
    for (const { by, does } of steps) {
      const name = `a${++count}`
      const answer = new Answer(name, last, told)
      switch (does) {
        case "commit":
        case "cast":
          outbox.committed(++last, does === "cast")
          if (does === "cast") casts++
          break
        case "written":
          outbox.written()
          written = casts
          break
        case "stored": {
          const seq = Math.max(0, last - by)
          outbox.stored(seq)
          stored = Math.max(seq, stored)
          storedCasts = written
          releasing(seq, "stored")
          break
        }
        case "hold":
          outbox.hold(answer)
          waiting.push({ answer, name, isReader: false })
          break
        case "follow":
          outbox.follow(() => answer.stored(), () => answer.lost())
          if (last === stored) expected.push(`${name} stored`)
          else waiting.push({ answer, name, isReader: true })
          break
        case "go": {
          const one = waiting.filter(({ isReader }) => !isReader)[by]
          if (one === undefined || one.answer.isGone) break
          one.answer.isGone = true
          outbox.letGo()
          break
        }
        case "begin":
          outbox.removalBegun()
          removals++
          break
        case "end":
          if (removals === 0) break
          outbox.removalEnded()
          removals--
          break
        case "give up":
          assert.strictEqual(outbox.giveUp(), casts - storedCasts)
          stored = last
          storedCasts = casts
          break
        case "catch up":
          outbox.caughtUp(last - 2 + by)
          last = stored = Math.max(last, last - 2 + by)
          break
        case "release":
          outbox.release(last - by, (one) => one.lost({ _tag: "Killed" }))
          releasing(last - by, "lost")
          break
        case "room":
          outbox.whenRoom(() => told.push(`${name} room`))
          room = name
          break
        case "empty":
          outbox.whenEmpty(() => told.push(`${name} empty`))
          empty = name
          break
        case "settle":
          outbox.settle()
          if (room !== undefined) expected.push(`${room} room`)
          room = undefined
          if (last > stored || removals > 0) break
          if (empty !== undefined) expected.push(`${empty} empty`)
          empty = undefined
          break
      }
      assert.deepStrictEqual(told, expected, does)
      assert.strictEqual(outbox.lastSeq, last)
      assert.strictEqual(outbox.ahead, last - stored)
      assert.strictEqual(outbox.isEmpty, last === stored && removals === 0)
      const held = waiting.filter(({ answer, isReader }) => !isReader && !answer.isGone).length
      assert.strictEqual(outbox.held, held)
      const store = { name: "s", key: "k" }
      assert.deepStrictEqual(outbox.latest(undefined, store), {
        books: undefined,
        isConserved: last === stored,
        isPending: last > stored,
        stored,
        held,
        store
      })
    }
  }, { arbitrary: { runs: 300 } })

  for (const stays of [0, 3]) {
    it(`keeps those that have gone no longer than until they are the larger part, and loses none of the others (${stays} stay)`, () => {
      const outbox = new Outbox()
      const told: Array<string> = []
      outbox.committed(1, false)
      const staying = new Set<string>()
      const stay = (name: string) => {
        outbox.hold(new Answer(name, 1, told))
        staying.add(`${name} stored`)
      }
      const come = (name: string) => {
        const answer = new Answer(name, 1, told)
        outbox.hold(answer)
        return answer
      }
      for (let i = 0; i < 1000; i++) {
        if (i % 400 === 0 && stays > 0) stay(`first${i}`)
        const [one, other] = [come(`a${i}`), come(`b${i}`)]
        for (const gone of [other, one]) {
          gone.isGone = true
          outbox.letGo()
        }
      }
      assert.strictEqual(outbox.held, stays)
      if (stays > 0) stay("last")
      outbox.stored(1)
      assert.deepStrictEqual(told.filter((one) => staying.has(one)), [...staying])
      // Of 2,000 that have gone.
      assert.isAtMost(told.length - staying.size, 40)
      assert.strictEqual(outbox.held, 0)
      outbox.committed(2, false)
      outbox.hold(new Answer("again", 2, told))
      outbox.stored(2)
      assert.strictEqual(told.at(-1), "again stored")
    })
  }

  it("knows how many casts are undone when it is given up: those that came after the record that was stored last", () => {
    const outbox = new Outbox()
    outbox.committed(1, true)
    outbox.committed(2, false)
    outbox.written()
    outbox.committed(3, true)
    outbox.committed(4, true)
    outbox.stored(2)
    assert.deepStrictEqual([outbox.giveUp(), outbox.giveUp()], [2, 0])
    outbox.committed(5, true)
    outbox.written()
    // It was not stored.
    outbox.committed(6, true)
    assert.deepStrictEqual([outbox.giveUp(), outbox.giveUp()], [2, 0])
  })

  it("looks for those that have gone when they may be half of those that wait, and not each time", () => {
    const outbox = new Outbox()
    outbox.committed(1, false)
    let looks = 0
    const waiting = Array.from({ length: 1000 }, () => ({
      gone: false,
      get isGone() {
        looks++
        return this.gone
      },
      stored: () => {},
      lost: () => {}
    }))
    for (const one of waiting) outbox.hold(one)
    for (const one of waiting.slice(0, 900)) {
      one.gone = true
      outbox.letGo()
    }
    // At 502 of 1,000, then at half of what was left each time.
    assert.isAtLeast(looks, 1000)
    assert.isAtMost(looks, 2000)
    assert.strictEqual(outbox.held, 100)
  })

  it("looks at those that stay as seldom when others have come and gone for long", () => {
    const outbox = new Outbox()
    outbox.committed(1, false)
    let looks = 0
    const stays = {
      get isGone() {
        looks++
        return false
      },
      stored: () => {},
      lost: () => {}
    }
    for (let i = 0; i < 1000; i++) outbox.hold(stays)
    for (let i = 0; i < 10_000; i++) {
      const answer = new Answer(`a${i}`, 1, [])
      outbox.hold(answer)
      answer.isGone = true
      outbox.letGo()
    }
    // Once for each thousand that have gone.
    assert.isAtLeast(looks, 8000)
    assert.isAtMost(looks, 12_000)
  })

  it("those that were answered do not count among those that wait", () => {
    const outbox = new Outbox()
    const told: Array<string> = []
    for (let seq = 1; seq <= 1000; seq++) {
      outbox.committed(seq, false)
      outbox.hold(new Answer(`a${seq}`, seq, []))
      outbox.stored(seq)
    }
    outbox.committed(1001, false)
    const first = new Answer("first", 1001, told)
    outbox.hold(first)
    outbox.follow(() => told.push("followed"), () => {})
    const gone = Array.from({ length: 40 }, (_, i) => new Answer(`gone${i}`, 1001, told))
    for (const one of gone) outbox.hold(one)
    for (const one of gone) one.isGone = true
    for (const _ of gone) outbox.letGo()
    // All that have gone are out, also those behind the last that stays.
    outbox.stored(1001)
    assert.deepStrictEqual(told, ["first stored", "followed"])
  })

  it("tells who waits for room once, and who waits again inside that of the next time", () => {
    const outbox = new Outbox()
    const told: Array<string> = []
    outbox.whenRoom(() => {
      told.push("room")
      outbox.whenRoom(() => told.push("again"))
    })
    outbox.whenEmpty(() => {
      told.push("empty")
      outbox.whenEmpty(() => told.push("empty again"))
    })
    outbox.settle()
    assert.deepStrictEqual(told, ["room", "empty"])
    outbox.settle()
    assert.deepStrictEqual(told, ["room", "empty", "again", "empty again"])
    outbox.settle()
    assert.lengthOf(told, 4)
  })
})
