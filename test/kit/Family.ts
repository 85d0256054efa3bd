/**
 * The fixtures of the supervisor cases: a supervisor, children that end as a test wants, and their events.
 *
 * Where a case has a new handle, the process is the same one here, in its next incarnation: `child1 -> 2`.
 */
import { it } from "@effect/vitest"
import { Cause, Deferred, Effect, Layer, Queue, References, Schema, type Scope } from "effect"
import { pathText } from "../../src/domain/observation/Lifecycle.ts"
import { crashed, toText } from "../../src/domain/process/ExitReason.ts"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"

/** The plain worker of the cases: it runs until it is stopped. */
export class Plain extends GenServer.Service<Plain>()("test/Plain", {
  state: Schema.String,
  messages: {
    Get: GenServer.call({ reply: Schema.String }),
    Set: GenServer.cast({ payload: { to: Schema.String } }),
    /** For so long, it cannot be reached. */
    Busy: GenServer.cast({ payload: { millis: Schema.Number } })
  }
}) {}

/** How a child differs from the plain worker. */
export interface ChildOptions extends GenServer.Options {
  readonly init?: Effect.Effect<string | Next.Initial<string>, string>
  readonly terminate?: GenServer.Behavior<unknown, unknown>["terminate"]
}

/** The recipe of a plain worker. */
export const child = (id: string, { init = Effect.succeed("idle"), terminate, ...options }: ChildOptions = {}) => ({
  ...Plain.recipe({
    init,
    handlers: {
      Get: (state) => [state, state],
      Set: (_, { to }) => to,
      Busy: (state, { millis }) => Effect.as(Effect.uninterruptible(Effect.sleep(millis)), state)
    },
    terminate
  }, { key: id, ...options }),
  id
})

export type Child = Plain["Service"]

/** A child that is not wanted. */
export const ignoring = (id: string, options: ChildOptions = {}) =>
  child(id, { ...options, init: Effect.succeed(Next.ignore) })

/** FLAKY: its first start succeeds, every later one fails. */
export const flaky = (id: string) => {
  const calls = { starts: 0 }
  const init = Effect.suspend(() => ++calls.starts === 1 ? Effect.succeed("idle") : Effect.fail("flaky"))
  return { calls, recipe: child(id, { init }) }
}

/** What a GATED child says in its init, before it waits for the verdict. */
export interface Announcement {
  readonly id: string
  readonly verdict: Deferred.Deferred<string, string>
}

/** GATED: in its init it announces itself, and waits for a verdict. */
export const gated = (announcements: Queue.Queue<Announcement>, id: string, options: ChildOptions = {}) =>
  child(id, {
    ...options,
    init: Effect.gen(function*() {
      const verdict = yield* Deferred.make<string, string>()
      yield* Queue.offer(announcements, { id, verdict })
      return yield* Deferred.await(verdict)
    })
  })

/** A recipe whose start comes to something that no start may come to: possible only past the type checker. */
export const nonsensical = (id: string, answer: unknown): Supervisor.StartRecipe<Process.HasProcess> => ({
  ...Supervisor.workerRecipe(id, Effect.never),
  make: (parent, context, id) => {
    const made = Supervisor.workerRecipe(id, Effect.never).make(parent, context, id)
    const child = Object.assign(Object.create(made.child), { start: () => answer })
    return { child, ref: { [Process.processOf]: child } }
  }
})

/** The supervisor under test. */
export class Sup extends Supervisor.Service<Sup>()("sup") {}

/** So many restarts in so many seconds, as the cases write it. */
export const within = (restarts: number, seconds: number) => Restart.intensity({ restarts, within: seconds * 1000 })

/** The Layer of a recipe, as a child of its supervisor's own specification. */
export const own = <E, R>(recipe: Supervisor.StartRecipe<unknown, E, R>) =>
  Layer.effectDiscard(Effect.flatMap(Supervisor.Supervisor, (supervisor) => supervisor.register(recipe)))

/** Starts the supervisor in the scope of the test: one_for_one, 2 in 3600 s, by default. */
export const start = Effect.fnUntraced(function*<E, R>(
  options: Partial<Supervisor.Options> = {},
  children: ReadonlyArray<Supervisor.StartRecipe<unknown, E, R>> = []
) {
  const layers = children.map((recipe) => own(recipe))
  const layer = Sup.layer({ strategy: "one_for_one", restart: within(2, 3600), ...options }, layers)
  return yield* Effect.flatMap(Layer.build(layer), (context) => Effect.provideContext(Sup, context))
})

/** The listing, newest first: `child1 -> 2` for its second incarnation, else `undefined`, `restarting`, … */
export const list = ({ whichChildren }: Pick<Supervisor.Supervisor, "whichChildren">) =>
  Effect.map(whichChildren, (children) => children.map((child) => `${child.id} -> ${lifeOf(child)}`))

const lifeOf = ({ process, status }: Supervisor.ChildInfo) =>
  status === "running" ? process.incarnation : status === "stopped" ? "undefined" : status

/** The count, as the cases write it: specs, active, supervisors, workers. */
export const count = ({ countChildren }: Pick<Supervisor.Supervisor, "countChildren">) =>
  Effect.map(countChildren, ({ active, specs, supervisors, workers }) => [specs, active, supervisors, workers])

/** Whether an incarnation is alive. */
export const isAlive = (ref: Process.HasProcess) => ref[Process.processOf].status === "running"

/** How its last incarnation ended. */
export const lastExit = (ref: Process.HasProcess) => ref[Process.processOf].lastExit

/** Starts, exits and the like since the last time, in order: `child1#2 started`. */
export const published: Effect.Effect<Array<string>, never, Harness.Harness> = Effect.gen(function*() {
  const harness = yield* Harness.Harness
  const events = (yield* harness.events).filter(({ path }) => path[0] !== "keepers")
  yield* harness.clear
  return events.flatMap((event) => {
    const name = pathText(event.path.length === 1 ? event.path : event.path.slice(1))
    switch (event._tag) {
      case "Started":
        return [`${name}#${event.incarnation} started`]
      case "Exited":
        return [`${name}#${event.incarnation} exited: ${toText(event.reason)}`]
      case "StartFailed":
        return [`${name}#${event.incarnation} did not start: ${toText(event.reason)}`]
      case "Ignored":
      case "Abandoned":
      case "Deleted":
        return [`${name} ${event._tag.toLowerCase()}`]
      default:
        return []
    }
  })
})

/** OTP's `died`. */
export const died = crashed(Cause.fail("died"))

const keepers = Supervisor.layer({ strategy: "one_for_one", id: "keepers" }, [StateContainer.layerForget(Plain)])

type Services = Layer.Success<typeof keepers> | Harness.Harness | Scope.Scope

/** A case: its id and title, and what it says. */
export const testCase = <A, E>(name: string, body: Effect.Effect<A, E, Services>, timeout?: number) =>
  it.effect(name, () =>
    body.pipe(
      Effect.provide(Layer.provideMerge(keepers, Harness.Harness.layer)),
      Effect.provideService(References.MinimumLogLevel, "None")
    ), timeout)
