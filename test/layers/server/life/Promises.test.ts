/**
 * Async functions where Effects are wanted: nothing waits for their promises, so they are refused by what they stand
 * for, and what they are rejected with ends no program.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema, Stream } from "effect"
import {
  type ExitReason,
  GenServer,
  Process,
  Registry,
  StateContainer,
  Supervisor,
  TaskSupervisor
} from "../../../../src/index.ts"
import { quiet } from "../../../kit/Log.ts"

class One extends GenServer.Service<One>()("test/One", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int }) }
}) {}

class Names extends Registry.Service<Names>()("test/Names", { keys: "unique" }) {}
class Top extends Supervisor.Service<Top>()("root") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

const behavior = { init: 1, handlers: { Get: (n: number) => [n, n] as const } }

// Types do not let them through.
const rejecting = (): Effect.Effect<never> => Promise.reject(new Error("rejected")) as never

const within = <A, E>(effect: Effect.Effect<A, E, One | Names | Tasks | Top>, given: object = {}) =>
  effect.pipe(
    Effect.provide(Top.layer({ strategy: "one_for_one" }, [
      Names.layer,
      Tasks.layer(),
      StateContainer.layerMemory(One),
      One.layer({ ...behavior, ...given }, { restart: "temporary" })
    ])),
    quiet
  )

const failure = (exit: Exit.Exit<unknown, unknown>): string =>
  exit._tag === "Failure" ? String(Cause.squash(exit.cause)) : `no failure: ${String(exit.value)}`

const wanted: ReadonlyArray<readonly [string, Effect.Effect<Exit.Exit<unknown, unknown>>, RegExp]> = [
  [
    "terminate",
    within(
      Effect.gen(function*() {
        const one = yield* One
        yield* Effect.exit(GenServer.stop(one))
        const end = (yield* Process.lastExit(one)) as { readonly value?: ExitReason.ExitReason }
        const reason = end.value
        return reason?._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.succeed(reason?._tag)
      }),
      { terminate: rejecting }
    ),
    /terminate in root > test\/One returned a Promise/
  ],
  [
    "a behaviour",
    within(Effect.exit(Effect.flatMap(Top, (top) => top.startChild(One.recipe(rejecting as never, { key: "a" }))))),
    /the behaviour of root > test\/One\/a has no init/
  ],
  [
    "a worker",
    quiet(
      Effect.suspend(() =>
        Effect.exit(Effect.scoped(Layer.build(Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          Supervisor.worker("work", rejecting())
        ]))))
      )
    ),
    /work was given .* as effect: it must be an Effect/
  ],
  [
    "a task",
    within(
      Effect.exit(Effect.flatMap(
        Effect.flatMap(Tasks, (tasks) => tasks.asyncNolink(rejecting())),
        (task) => task.await()
      ))
    ),
    /a task answers with an Effect, and not with/
  ],
  [
    "the function of a task stream",
    within(Effect.exit(Effect.flatMap(Tasks, (tasks) => Stream.runCollect(tasks.asyncStream([1], rejecting))))),
    /the function of a task stream answers with an Effect, and not with/
  ],
  [
    "the function of dispatch",
    within(Effect.gen(function*() {
      const names = yield* Names
      yield* Effect.orDie(names.register("a", yield* One))
      return yield* Effect.exit(names.dispatch("a", rejecting))
    })),
    /the function of dispatch answers with an Effect, and not with/
  ]
]

describe("a promise where an Effect is wanted", () => {
  it.effect.each(wanted.map(([what, run, says]) => ({ what, run, says })))(
    "is refused by what it stands for, and its rejection ends no program: $what",
    ({ run, says }) =>
      Effect.gen(function*() {
        assert.match(failure(yield* run), says)
        // Time for a rejection to be heard of.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      })
  )
})
