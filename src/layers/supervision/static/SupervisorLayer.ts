/**
 * Building a supervisor: its process first, then its children, one after the other.
 *
 * *Tricky*: a supervisor is up before its first child is built, so that building a child can start it; until the last
 * one is built, what registers belongs to its specification, later ones are run-time children. Children are built into
 * a scope of their own that closes after the tree has stopped: a resource among the children is released when it is not
 * used any more, and a child's own layer finalizer finds its process stopped.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Option, Predicate, type Schedule, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { givenTo, oneOf, refusal } from "../../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import * as ChildSpec from "../../../domain/supervision/ChildSpec.ts"
import * as Strategy from "../../../domain/supervision/Strategy.ts"
import type { Child, ChildOptions, Parent, StartRecipe } from "../../process/Child.ts"
import { scheduleOf } from "../../process/Timer.ts"
import * as Restart from "../restart/Restart.ts"
import { withoutOverride } from "../tree/Override.ts"
import { startRoot } from "../tree/Root.ts"
import { Supervisor } from "../tree/SupervisorHandle.ts"
import { StaticHandle } from "./StaticHandle.ts"
import { SupervisorProcess } from "./SupervisorProcess.ts"

/**
 * How a supervisor works.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Its id under its parent, or its path when it is a root. Default `"Supervisor"`, numbered when taken. */
  readonly id?: string | undefined
  /** Who is restarted along with a child that crashed. */
  readonly strategy: Strategy.Strategy
  /** When to restart, after how long, and when to give up. Default: 3 restarts within 5 seconds. */
  readonly restart?: Schedule.Schedule<unknown, ExitReason> | undefined
  /** Whether the end of significant children ends it. Default `"never"`. */
  readonly autoShutdown?: ChildSpec.AutoShutdown | undefined
  /**
   * What giving up means: stop all children and fail to the parent (`"escalate"`, the default), or keep the child (and
   * the group that would be restarted along) parked until `resumeChild`.
   */
  readonly onGiveUp?: "escalate" | "park" | undefined
  /** How long its parent gives it to stop. Default `"infinity"`: its children have times of their own. */
  readonly shutdown?: ChildOptions["shutdown"]
}

// Not `Layer<never, unknown, unknown>`: that would be the context for a Layer written in place, whose errors and needs
// would then be inferred as unknown.
/** Any Layer, as a child. */
export type AnyLayer = Layer.Any

/** Makes the process, or throws what is wrong with its options. */
export const make = (
  parent: Parent,
  id: string,
  options: Options,
  context: Context.Context<never>
): SupervisorProcess => {
  const { autoShutdown = "never", onGiveUp = "escalate", strategy } = options
  const given = givenTo(() => pathText([...parent.path, id]))
  return new SupervisorProcess(
    parent,
    id,
    {
      strategy: oneOf(given("strategy", strategy), Strategy.all),
      autoShutdown: oneOf(given("autoShutdown", autoShutdown), ChildSpec.autoShutdowns),
      onGiveUp: oneOf(given("onGiveUp", onGiveUp), onGiveUps),
      isRoot: parent.isOutside === true
    },
    scheduleOf(given("restart", options.restart ?? Restart.standard)),
    context
  )
}

/** What giving up may mean. */
export const onGiveUps = ["escalate", "park"] as const

/** Builds a supervisor and, one after the other, its children; `ownId` is its id unless the options give one. */
export const build = Effect.fnUntraced(function*(given: Options, children: ReadonlyArray<AnyLayer>, ownId?: string) {
  // For programs that the compiler has not seen.
  if (!Predicate.isObject(given)) {
    return yield* Effect.die(refusal({ of: ownId ?? defaultId, option: "options", given }, "an object"))
  }
  const all: unknown = children
  if (!Array.isArray(all) || !all.every((one) => Layer.isLayer(one))) {
    return yield* Effect.die(
      refusal({ of: given.id ?? ownId ?? defaultId, option: "children", given: children }, "a list of Layers")
    )
  }
  const options: Options = { ...given, id: given.id ?? ownId }
  const ambient = withoutOverride(yield* Effect.context<Scope.Scope>())
  const nearest = Context.getOption(ambient, Supervisor)
  const place = yield* Scope.make()
  const inner = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => Effect.andThen(Scope.close(place, exit), Scope.close(inner, exit)))
  const handle = yield* Scope.provide(
    Option.isSome(nearest)
      ? Effect.flatMap(freeId(options.id, nearest.value), (id) => nearest.value.register(nestedRecipe(options, id)))
      : Effect.map(
        startRoot(ambient, (parent) => make(parent, options.id ?? defaultId, options, ambient)),
        (process) => new StaticHandle(process)
      ),
    place
  )
  const memoMap = yield* Layer.makeMemoMap
  let services = Context.empty() as Context.Context<never>
  let context: Context.Context<never> = Context.add(ambient, Supervisor, handle)
  for (const child of children) {
    // The context holds what the children so far provide; the type of `layer` says that this is enough for the next.
    const built = yield* Layer.buildWithMemoMap(child as Layer.Layer<never, unknown>, memoMap, inner).pipe(
      Effect.provideContext(context)
    )
    services = Context.merge(services, built)
    context = Context.merge(context, built)
  }
  handle.sealed = true
  return { handle, services }
})

const nestedRecipe = (options: Options, id: string): StartRecipe<StaticHandle> => ({
  id,
  kind: "supervisor",
  options: { shutdown: options.shutdown },
  make: (parent, context, id) => {
    const process = make(parent, id, options, context)
    // Its children are not there yet when it starts for the first time: there is nothing to fail.
    return { child: asChild<never>(process), ref: new StaticHandle(process) }
  }
})

export const asChild = <E>(process: Child): Child<E> => process as Child<E>

const freeId = (wanted: string | undefined, parent: Supervisor): Effect.Effect<string> =>
  wanted !== undefined ? Effect.succeed(wanted) : Effect.map(parent.whichChildren, (children) => {
    const taken = new Set(children.map(({ id }) => id))
    let id = defaultId
    for (let n = 2; taken.has(id); n++) id = `${defaultId}${n}`
    return id
  })

const defaultId = "Supervisor"
