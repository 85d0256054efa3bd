/** Whatever servers do with their keys, each slot is what the pure rule says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as Slot from "../../../../src/domain/state/Slot.ts"
import type { CompanionPort, Owner } from "../../../../src/layers/state/companion/Companion.ts"
import { CompanionTable, type Design } from "../../../../src/layers/state/companion/CompanionTable.ts"
import { RefCompanion, restOf } from "../../../../src/layers/state/companion/RefCompanion.ts"
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
