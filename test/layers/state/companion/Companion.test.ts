import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { Keeper, Taken } from "../../../../src/layers/state/companion/Companion.ts"
import { Forgetful } from "../../../../src/layers/state/companion/FencedCompanion.ts"
import { Delayed } from "../../../../src/layers/state/companion/LateCompanion.ts"
import { InMemory } from "../../../../src/layers/state/companion/MemoryCompanion.ts"

const late = () => new Set<Delayed<number>>()

const keepers: Record<string, () => Keeper<number>> = {
  "in memory": () => new InMemory<number>("a", undefined),
  "that forgets": () => new Forgetful<number>("a"),
  "conserving at intervals": () => new Delayed(new InMemory<number>("a", undefined), false, late()),
  "conserving on terminate": () => new Delayed(new InMemory<number>("a", undefined), true, late())
}

/** What a new incarnation gets; companions without a store answer at once. */
const takeOver = (keeper: Keeper<number>, incarnation: number): Taken<number>["decision"] => {
  const taken = keeper.takeOver(incarnation)
  assert.isFalse(Effect.isEffect(taken))
  return (taken as Taken<number>).decision
}

const restored = (decision: Taken<number>["decision"]): number | undefined =>
  decision._tag === "Restore" ? decision.snapshot.state : undefined

describe("every companion", () => {
  for (const [name, make] of Object.entries(keepers)) {
    it(`${name} fences off older incarnations as soon as a younger one takes over`, () => {
      const keeper = make()
      assert.strictEqual(keeper.youngest, 0)
      takeOver(keeper, 1)
      assert.isTrue(keeper.commit(1, 10, "call"))
      takeOver(keeper, 2)
      assert.isFalse(keeper.commit(1, 11, "call"))
      assert.isTrue(keeper.commit(2, 12, "call"))
      assert.strictEqual(keeper.youngest, 2)
    })

    it(`${name} fences off an incarnation that was abandoned, before another takes over`, () => {
      const keeper = make()
      takeOver(keeper, 1)
      keeper.fenceOff(1)
      assert.isFalse(keeper.commit(1, 11, "call"))
      assert.isAbove(keeper.youngest, 1)
      takeOver(keeper, 2)
      assert.isTrue(keeper.commit(2, 12, "call"))
    })

    it(`${name} holds no answer back`, () => {
      const keeper = make()
      takeOver(keeper, 1)
      keeper.commit(1, 10, "call")
      const seen: Array<string> = []
      keeper.hold({ stored: () => seen.push("stored"), lost: () => seen.push("lost") })
      assert.deepStrictEqual([seen, keeper.isBehind, keeper.isFull], [["stored"], false, false])
    })
  }
})

describe("the state that a new incarnation starts from", () => {
  const after = (keeper: Keeper<number>, end: "a crash" | "a kill") => {
    takeOver(keeper, 1)
    keeper.commit(1, 10, "call")
    keeper.commit(1, 11, "call")
    if (end === "a crash") keeper.conclude(1, 11)
    return restored(takeOver(keeper, 2))
  }

  it("after a crash: the state conserved on commit, at intervals and on terminate; none when it is forgotten", () => {
    const states = Object.values(keepers).map((make) => after(make(), "a crash"))
    assert.deepStrictEqual(states, [11, undefined, 11, 11])
  })

  it("after a kill: the state conserved on commit and at intervals, but none that is conserved on terminate", () => {
    const states = Object.values(keepers).map((make) => after(make(), "a kill"))
    assert.deepStrictEqual(states, [11, undefined, 11, undefined])
  })
})

it.effect("set is a commit on behalf of the youngest incarnation, clear forgets, snapshots name the incarnation that committed", () =>
  Effect.gen(function*() {
    const keeper = new InMemory<number>("a", undefined)
    takeOver(keeper, 3)
    yield* keeper.set(41)
    assert.deepStrictEqual(yield* keeper.snapshots, [{ state: 41, seq: 1, incarnation: 3 }])
    keeper.commit(3, 42, "call")
    assert.deepStrictEqual(yield* keeper.get, Option.some(42))
    yield* keeper.clear
    assert.deepStrictEqual([yield* keeper.get, yield* keeper.snapshots], [Option.none(), []])
    assert.strictEqual(takeOver(keeper, 4)._tag, "Init")
  }))

it.effect("a state that is conserved late is not shown before", () =>
  Effect.gen(function*() {
    const waiting = late()
    const keeper = new Delayed(new InMemory<number>("a", undefined), false, waiting)
    takeOver(keeper, 1)
    keeper.commit(1, 10, "call")
    assert.deepStrictEqual([yield* keeper.get, waiting.has(keeper)], [Option.none(), true])
    keeper.flush()
    assert.deepStrictEqual(yield* keeper.get, Option.some(10))
  }))
