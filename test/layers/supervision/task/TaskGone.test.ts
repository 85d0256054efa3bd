/** What is left of tasks, links and streams that are over: nothing, in any scope or list. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { many, reachable } from "../../../kit/Garbage.ts"
import { none, run, Tasks } from "../../../kit/Tasks.ts"

const some = many / 2
/** What the turns before have looked at may still be held. */
const few = 70

/** Things that were made along the way, and how many of them are still somewhere. */
const traces = () => {
  const made: Array<WeakRef<object>> = []
  return {
    add: <A extends object>(thing: A): A => {
      made.push(new WeakRef(thing))
      return thing
    },
    left: Effect.suspend(() => reachable(made, few)),
    get count() {
      return made.length
    }
  }
}

describe("the scope of a caller", () => {
  it.effect(`keeps nothing of ${many} linked tasks that have ended`, () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const scope = yield* Scope.make()
      const one = traces()
      yield* Effect.repeat(
        Effect.suspend(() => Scope.provide(tasks.async(Effect.succeed(one.add({ n: one.count }))), scope)).pipe(
          Effect.flatMap((task) => task.await())
        ),
        { times: many - 1 }
      )
      assert.strictEqual(one.count, many)
      assert.strictEqual(scope.state._tag, "Empty")
      assert.isAtMost(yield* one.left, few)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))

  it.effect(`keeps nothing of ${some} tasks that ended before their link was cut`, () =>
    run(Effect.gen(function*() {
      const tasks = yield* Tasks
      const one = traces()
      for (let i = 0; i < some; i++) {
        const scope = yield* Scope.make()
        yield* Scope.provide(tasks.async(Effect.never.pipe(Effect.as(one.add({ i })))), scope)
        yield* Scope.close(scope, Exit.void)
      }
      assert.isAtMost(yield* one.left, few)
      assert.deepStrictEqual(yield* tasks.countChildren, none)
    })))
})

it.effect(`a supervisor keeps nothing of ${some} streams whose readers had enough`, () =>
  run(Effect.gen(function*() {
    const tasks = yield* Tasks
    const one = traces()
    const f = (n: number) => n === 1 ? Effect.succeed(one.add({ n })) : Effect.as(Effect.never, one.add({ n }))
    const abandoned = Effect.suspend(() =>
      Stream.runDrain(Stream.take(tasks.asyncStream([1, 2, 3], f, { concurrency: 2, timeout: "infinity" }), 1))
    )
    for (let i = 0; i < some; i++) yield* abandoned
    assert.isAtLeast(one.count, some)
    assert.isAtMost(yield* one.left, few)
    assert.deepStrictEqual(yield* tasks.countChildren, none)
  })))
