/** How a process comes to have a store for itself: real time, as other processes have it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Holder, StoreOwnership } from "../../../../src/domain/state/stored/Ownership.ts"
import { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import { defaultPatience, held, ownershipOf, patienceOf } from "../../../../src/layers/state/store/Holding.ts"
import { makeMemory } from "../../../../src/layers/state/store/StateStore.ts"
import { recordedLog } from "../../../kit/Log.ts"

const other: Holder = { pid: 7, host: "elsewhere", since: "2020-01-01" }

const error = new StoreError({ store: "memory", operation: "hold", reason: { _tag: "Unavailable", cause: "away" } })

type Answer = Holder | undefined | StoreError

/** Answers in their order, the last of them for ever; and what is open of each attempt. */
const taking = (...answers: ReadonlyArray<Answer>) => {
  const open = new Set<number>()
  let asked = 0
  const third = Deferred.makeUnsafe<void>()
  const take = Effect.gen(function*() {
    const at = asked++
    if (asked === 3) yield* Deferred.succeed(third, undefined)
    yield* Effect.acquireRelease(Effect.sync(() => open.add(at)), () => Effect.sync(() => open.delete(at)))
    const answer = answers[Math.min(at, answers.length - 1)]
    return answer instanceof StoreError ? yield* answer : answer
  })
  const ask = (ownership: StoreOwnership, patience: number) => {
    const log = recordedLog(({ level }) => level === "Warn")
    const hold = { ...ownershipOf("a store", { ownership, patience }), take }
    return Effect.map(
      Effect.provide(Effect.exit(held(makeMemory(), hold, take)), log.layer),
      (exit) => ({ exit, warnings: log.lines.map(({ text }) => text) })
    )
  }
  return { ask, open, asked: () => asked, third: Deferred.await(third) }
}

describe("a store that is held", () => {
  it.live("is had at once where it is free, until the Scope ends", () =>
    Effect.gen(function*() {
      const { ask, asked, open } = taking(undefined)
      const scope = yield* Scope.make()
      const { exit, warnings } = yield* Scope.provide(ask("exclusive", 1000), scope)
      assert.deepStrictEqual([exit._tag, asked(), [...open], warnings], ["Success", 1, [0], []])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(open.size, 0)
    }))

  it.live("is waited for where another process has it, which is said once, and had when that has left", () =>
    Effect.gen(function*() {
      const { ask, open } = taking(other, other, undefined)
      const { exit, warnings } = yield* ask("exclusive", 30_000)
      assert.strictEqual(exit._tag, "Success")
      assert.deepStrictEqual(warnings, [
        "process 7 on elsewhere (since 2020-01-01) has the state store \"memory\": this process waits for it to leave, " +
        "30000 ms at most"
      ])
      // Nothing is open of the attempts in vain.
      assert.deepStrictEqual([...open], [2])
    }))

  it.live("is refused when patience is over, by the name of who had it last", () =>
    Effect.gen(function*() {
      const next = { ...other, pid: 8 }
      const { ask, asked, open } = taking(other, next, {})
      const { exit } = yield* ask("exclusive", 120)
      assert.deepStrictEqual(
        exit,
        Exit.fail(
          new StoreError({
            store: "memory",
            operation: "open",
            reason: { _tag: "Owned", ...next, waited: 120 }
          })
        )
      )
      assert.isAtLeast(asked(), 2)
      assert.strictEqual(open.size, 0)
    }))

  it.live("is refused at once, and not announced, where there is no patience", () =>
    Effect.gen(function*() {
      const { ask, asked } = taking(other)
      const { exit, warnings } = yield* ask("exclusive", 0)
      assert.strictEqual(exit._tag, "Failure")
      assert.include(String(exit), "process 7 on elsewhere")
      assert.deepStrictEqual([asked(), warnings], [1, []])
    }))

  it.live("goes to the youngest at once, which has it for the next when the one before has left, whatever comes between", () =>
    Effect.gen(function*() {
      const { ask, asked, open, third } = taking(other, error, undefined)
      const scope = yield* Scope.make()
      const { exit, warnings } = yield* Scope.provide(ask("youngest", 0), scope)
      assert.deepStrictEqual([exit._tag, asked(), warnings], ["Success", 1, []])
      yield* third
      yield* Effect.yieldNow
      assert.deepStrictEqual([...open], [2])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(open.size, 0)
      assert.strictEqual(asked(), 3)
    }))

  it.live("an error of what is asked is the answer", () =>
    Effect.gen(function*() {
      const { ask } = taking(error)
      assert.deepStrictEqual((yield* ask("exclusive", 1000)).exit, Exit.fail(error))
    }))

  it("is had exclusively, after half a minute at most, where nothing else is said", () => {
    assert.deepStrictEqual(ownershipOf("a store", {}), { ownership: "exclusive", patience: 30_000 })
    assert.deepStrictEqual(ownershipOf("a store", { ownership: "shared", patience: "1 second" }), {
      ownership: "shared",
      patience: 1000
    })
    assert.strictEqual(patienceOf("a store", {}), defaultPatience)
    assert.throws(() => ownershipOf("a store", { ownership: "youngest", patience: -1 }), /a store.*patience/)
    assert.throws(() => patienceOf("a store", { patience: -1 }), /a store.*patience/)
  })
})
