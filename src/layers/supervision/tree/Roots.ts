/**
 * The trees of this JavaScript thread, from their roots down: what those who look from outside begin with.
 *
 * *Tricky*: this is the one list of the library that no context holds. It is for looking alone: nothing that is
 * supervised finds another by it, and a root leaves it with its scope.
 *
 * @since 0.1.0
 */
import { Effect, Option } from "effect"
import { refuse } from "../../../domain/options/GivenOption.ts"
import { CurrentSink } from "../../observation/Sink.ts"
import type { Child } from "../../process/Child.ts"
import type { LocalProcess } from "../../process/LocalProcess.ts"
import { from, type HasProcess, type Process } from "../../process/Process.ts"

const all = new Set<LocalProcess & Child>()

/** Puts a root on the list; the returned function takes it off. */
export const grown = (root: LocalProcess & Child): () => void => {
  all.add(root)
  return () => void all.delete(root)
}

/** Takes off, when called, those that have come since: no scope of a simulated process closes when that is killed. */
export const since = (): () => void => {
  const before = new Set(all)
  return () => {
    for (const root of all) if (!before.has(root)) all.delete(root)
  }
}

/**
 * The root supervisors that report to the `Telemetry` of the context (`Telemetry.CurrentTelemetry`); where it has none,
 * all of this JavaScript thread.
 *
 * One that has given up is among them until its scope closes.
 *
 * @category trees
 * @since 0.1.0
 */
export const roots: Effect.Effect<ReadonlyArray<Process>> = Effect.map(
  CurrentSink,
  (sink) => Array.from(all).filter((root) => sink === undefined || root.parent.telemetry === sink)
)

/** What a process has of a supervisor; none for any other process. */
const asChild = (process: Process): Partial<Child> => process

/**
 * The processes right below a process, in the order in which they were started; none below one that is no supervisor.
 *
 * **Details**
 *
 * Asked at once, without a message: also while the supervisor starts, ends or waits. Those that are down are among
 * them, as long as their supervisor keeps their specs.
 *
 * @category trees
 * @since 0.1.0
 */
export const children = (ref: HasProcess): Effect.Effect<ReadonlyArray<Process>> => Effect.sync(() => childrenOf(ref))

const childrenOf = (ref: HasProcess): ReadonlyArray<Process> =>
  Array.from(asChild(from(ref, "Sys.children")).below?.() ?? [])

/**
 * The process at a path: the ids from its root down to itself, as its `path` has them.
 *
 * **Details**
 *
 * The tree is walked from {@link roots} down, one list of children for each id. It is the process that is there now:
 * where one was deleted and another one has its id, that one.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Process, Supervisor, Sys } from "heirloom"
 *
 * const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [Supervisor.worker("poller", Effect.never)])
 *
 * const program = Effect.gen(function*() {
 *   const poller = yield* Sys.find(["app", "poller"])
 *   if (Option.isSome(poller)) console.log(yield* Process.status(poller.value)) // => running
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category trees
 * @since 0.1.0
 */
export const find = (path: ReadonlyArray<string>): Effect.Effect<Option.Option<Process>> =>
  Effect.map(roots, (roots) => {
    if (!Array.isArray(path)) refuse({ of: "Sys.find", option: "path", given: path }, "a list of ids, from a root down")
    let among = roots
    let found: Process | undefined
    for (const id of path) {
      found = among.find((process) => process.id === id)
      if (found === undefined) return Option.none()
      among = childrenOf(found)
    }
    return Option.fromUndefinedOr(found)
  })
