/** Whatever servers do with their keys, each slot is what the pure rule says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as Slot from "../../../../src/domain/state/Slot.ts"
import type { CompanionPort, Owner } from "../../../../src/layers/state/companion/Companion.ts"
import { CompanionTable, type Design } from "../../../../src/layers/state/companion/CompanionTable.ts"
import { RefCompanion, restOf } from "../../../../src/layers/state/companion/RefCompanion.ts"
import type { Reader } from "../../../../src/layers/state/companion/Watched.ts"
import { FakeProcess } from "../../../kit/FakeProcess.ts"

const key = "a"

class FakeServer extends FakeProcess implements Owner<number> {
  readonly key = key
  override incarnation = 0
  companion: CompanionPort<number> | undefined = undefined
  readonly inMemory = Option.none()
  fire(): Effect.Effect<boolean> {
    return Effect.succeed(true)
  }
}

const design = (isLazy: boolean, afterStop: "keep" | "forget"): Design<number> => ({
  survives: "crash",
  make: (key) => new RefCompanion<number>(key, restOf(undefined)),
  isLazy,
  letsGo: false,
  afterStop,
  stored: undefined,
  dropped: () => {},
  alarms: undefined,
  keyOf: () => undefined,
  work: Effect.never
})

const Step = Schema.Struct({
  server: Schema.Literals([0, 1, 2]),
  does: Schema.Literals(["enter", "enter", "commit", "keep", "forget", "leave", "set", "clear"])
})

describe.each(
  [[true, "forget"], [true, "keep"], [false, "forget"], [false, "keep"]] as const
)("a table of companions (lazy: %s, after a stop: %s)", (isLazy, afterStop) => {
  it.prop("goes from slot to slot as the rule says", { steps: Schema.Array(Step) }, ({ steps }) => {
    const table = new CompanionTable(design(isLazy, afterStop))
    const servers = [new FakeServer("0"), new FakeServer("1"), new FakeServer("2")]
    const standingBy = new Set<FakeServer>()
    let expected: Slot.Slot = "Free"

    const tidied = (slot: Slot.Slot): Slot.Slot =>
      slot === "Orphan" && table.slot(key) === "Free" ? Slot.next(slot, { _tag: "Spare" }) : slot

    for (const { does, server: index } of steps) {
      const server = servers[index]!
      const isOwner = table.owner(key) === server
      switch (does) {
        case "enter": {
          if (isOwner) break
          server.companion = table.enter(server)
          server.incarnation = Math.max(server.incarnation, server.companion?.youngest ?? 0) + 1
          const holder = table.owner(key)
          expected = Slot.next(expected, { _tag: "Entered", isOwn: holder === server, isLazy })
          if (holder !== server) server.companion = undefined
          else server.companion?.takeOver(server.incarnation)
          break
        }
        case "commit":
          if (!isOwner) break
          server.companion ??= table.open(server)
          server.companion.commit(server.incarnation, index, "call")
          expected = Slot.next(expected, { _tag: "Needed" })
          break
        case "keep":
        case "forget": {
          const companion = expected === "Free" || expected === "HeldBare" ? undefined : table.companion(key)
          const own = companion === undefined ? isOwner : Slot.isOwn({
            isOwner: companion.owner === server,
            isOwned: companion.owner !== undefined,
            had: companion === server.companion,
            youngest: companion.youngest,
            incarnation: server.incarnation
          })
          const keep = afterStop === "keep" ? "Keep" : does === "forget" ? "Forget" : isLazy ? "Keep" : "Undecided"
          const others = [...standingBy].some((other) => other !== server)
          table.release(server, does)
          expected = Slot.next(expected, { _tag: "Released", isOwn: own, keep, others })
          if (own && companion !== undefined) {
            if (keep === "Undecided") standingBy.add(server)
            else standingBy.delete(server)
          }
          break
        }
        case "leave":
          table.leave(server)
          if (standingBy.delete(server)) {
            expected = Slot.next(expected, { _tag: "Left", isLast: standingBy.size === 0 })
          }
          break
        case "set":
        case "clear": {
          const companion = table.companion(key)
          Effect.runSync(does === "set" ? companion.set(7) : companion.clear)
          table.tidy(companion)
          expected = Slot.next(expected, { _tag: "Needed" })
          break
        }
      }
      expected = tidied(expected)
      if (expected === "Free") standingBy.clear()
      assert.strictEqual(table.slot(key), expected, `after ${does}`)
      assert.strictEqual(table.owner(key) !== undefined, expected === "Held" || expected === "HeldBare")
    }
  }, { arbitrary: { runs: 500 } })
})

describe("a table whose states are watched", () => {
  const reader = () => {
    const seen: Array<string> = []
    const one: Reader<number> = {
      changed: ({ _tag }) => void seen.push(_tag),
      stored: () => {},
      lost: () => {},
      released: (server, isOver) => void seen.push(`released ${server.id} ${isOver}`),
      ended: () => void seen.push("over")
    }
    return { one, seen }
  }

  it("has a server and its readers on one companion, which is its own again when the last has left", () => {
    const table = new CompanionTable(design(true, "keep"))
    const server = new FakeServer("0")
    server.companion = table.enter(server)
    server.incarnation = 1
    server.companion ??= table.open(server)
    const own = server.companion
    const [one, other] = [reader(), reader()]
    const first = table.watch(key, one.one)
    const second = table.watch(key, other.one)
    assert.strictEqual(first.watched, second.watched)
    assert.strictEqual(server.companion, first.watched)
    assert.strictEqual(table.companion(key), first.watched)
    server.companion.commit(1, 5, "call")
    assert.deepStrictEqual([one.seen, other.seen], [["Committed"], ["Committed"]])
    first.leave()
    assert.strictEqual(server.companion, first.watched)
    second.leave()
    second.leave()
    assert.strictEqual(server.companion, own)
    own.commit(1, 6, "call")
    assert.lengthOf(other.seen, 1)
    assert.strictEqual(table.slot(key), "Held")
    assert.deepStrictEqual([...table.keys()], [key])
  })

  it("leaves a server alone that has let go of the companion, and one that is no server", () => {
    const table = new CompanionTable(design(false, "keep"))
    const server = new FakeServer("0")
    const companion = table.claim(key, server)
    assert.isUndefined(server.companion)
    const { leave, watched } = table.watch(key, reader().one)
    assert.isUndefined(server.companion)
    assert.strictEqual(watched.inner, companion)
    leave()
    assert.isUndefined(server.companion)
    assert.strictEqual(table.companion(key), companion)
    assert.strictEqual(table.claim(key, new FakeProcess("other")).owner, server)
  })

  it("has no key for its readers alone, nothing left of it when they leave, and tells them of its end", () => {
    const dropped: Array<string> = []
    const table = new CompanionTable({ ...design(false, "forget"), dropped: (key) => dropped.push(key) })
    const one = reader()
    const { inMemory, leave } = table.watch(key, one.one)
    assert.deepStrictEqual([[...table.keys()], Option.isNone(inMemory)], [[], true])
    assert.strictEqual(Effect.runSync(table.conserved), 0)
    Effect.runSync(table.companion(key).set(7))
    assert.deepStrictEqual([...table.keys()], [key])
    assert.strictEqual(Effect.runSync(table.conserved), 1)
    table.close()
    assert.deepStrictEqual(one.seen, ["Committed", "over"])
    Effect.runSync(table.companion(key).clear)
    leave()
    assert.deepStrictEqual([table.slot(key), dropped], ["Free", [key]])
    table.close()
    assert.lengthOf(one.seen, 2)
  })

  it("tells readers when a server lets go of the key, and whether the state is gone with it", () => {
    for (
      const [afterStop, what, isOver] of [["keep", "keep", false], ["forget", "forget", true], [
        "forget",
        "keep",
        false
      ]] as const
    ) {
      const table = new CompanionTable(design(true, afterStop))
      const server = new FakeServer("0")
      server.companion = table.enter(server) ?? table.open(server)
      server.incarnation = 1
      server.companion.commit(1, 5, "call")
      const one = reader()
      table.watch(key, one.one)
      table.release(server, what)
      assert.deepStrictEqual(one.seen, [`released 0 ${isOver}`], `${afterStop} ${what}`)
    }
  })
})
