/**
 * Partition supervisors: n equal children, and a key that says which of them.
 *
 * When one process is a bottleneck because all wait for it, n of them with the work divided by key are not. In a
 * JavaScript thread that divides *waiting*: while one partition's handler waits for a database, the others go on. It
 * does not divide computing. A partition may be anything that stands for a process: a server, a `TaskSupervisor`, most
 * often a `DynamicSupervisor`. If a process per key is meant, and not a fixed number for all keys, use `Server.at(key)`
 * or a `Registry`. Mirrors Elixir's `PartitionSupervisor`.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Predicate } from "effect"
import * as Partition from "../../domain/naming/Partition.ts"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { StartRecipe } from "../process/Child.ts"
import type { HasProcess } from "../process/Process.ts"
import { type PartitionSupervisor, TreeHandle } from "./partition/PartitionHandle.ts"
import * as Supervisor from "./Supervisor.ts"
import { recipeOf } from "./tree/Given.ts"

export { defaultCount } from "../../domain/naming/Partition.ts"
export { PartitionError, PartitionErrorReason } from "./partition/PartitionError.ts"
export type { PartitionSupervisor } from "./partition/PartitionHandle.ts"

/**
 * What a partition supervisor runs, and how.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<out Ref extends HasProcess, out E = never, out R = never>
  extends Omit<Supervisor.Options, "strategy" | "autoShutdown">
{
  /**
   * The recipe of every partition, or how to make that of one from its number (Elixir: `child_spec`, `with_arguments`).
   * Each partition goes by its number as its id. A server needs a key of its own in each.
   */
  readonly child: StartRecipe<Ref, E, R> | ((partition: number) => StartRecipe<Ref, E, R>)
  /** How many partitions there are to begin with, and at most. Default {@link defaultCount}. */
  readonly partitions?: number | undefined
  /** Who is restarted along with a partition that crashed. Default `"one_for_one"`: they are independent. */
  readonly strategy?: Supervisor.Options["strategy"] | undefined
}

/**
 * The key of one partition supervisor.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionSupervisorClass<Self, Id extends string, Ref extends HasProcess>
  extends Context.ServiceClass<Self, Id, PartitionSupervisor<Ref>>
{
  /**
   * The partition supervisor: a child of the nearest supervisor, or a root when there is none.
   *
   * **Details**
   *
   * Its id is the class's own unless `id` says otherwise. Fails as the init of a partition does. A number of partitions
   * that makes no sense, and a recipe that is none, are defects: `InvalidOption`.
   */
  layer<E = never, R = never>(
    options: Options<Ref, E, R>
  ): Layer.Layer<Self, E, Exclude<R, Supervisor.Supervisor>>
}

/**
 * Declares a partition supervisor; `Ref` is what stands for one of its partitions.
 *
 * **Example** (many sessions, started through 4 supervisors)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { DynamicSupervisor, PartitionSupervisor, Supervisor } from "heirloom"
 *
 * class Sessions
 *   extends PartitionSupervisor.Service<Sessions, DynamicSupervisor.DynamicSupervisor>()("app/Sessions")
 * {}
 *
 * const SessionsLive = Sessions.layer({ partitions: 4, child: DynamicSupervisor.recipe({ id: "sessions" }) })
 *
 * const program = Effect.gen(function*() {
 *   const sessions = yield* Sessions
 *   const supervisor = yield* sessions.route("joe")
 *   yield* supervisor.startChild(Supervisor.workerRecipe("session", Effect.never))
 *   console.log(yield* sessions.partitions) // => 4
 * })
 *
 * await Effect.runPromise(Effect.provide(program, SessionsLive))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self, Ref extends HasProcess>() => <const Id extends string>(id: Id): PartitionSupervisorClass<Self, Id, Ref> => {
    const Key = Context.Service<Self, PartitionSupervisor<Ref>>()(id)
    class Tree extends Supervisor.Service<Tree>()(`${id}/Supervisor`) {}
    class Refs extends Context.Service<Refs, ReadonlyArray<Ref>>()(`${id}/Partitions`) {}

    const layer = <E, R>(options: Options<Ref, E, R>): Layer.Layer<Self, E, Exclude<R, Supervisor.Supervisor>> => {
      const own = { ...options, id: GivenOption.options(id, options).id ?? id }
      const partitions = Layer.effect(
        Refs,
        Effect.flatMap(
          Supervisor.Supervisor,
          (supervisor) => Effect.forEach(recipes(own), (recipe) => supervisor.register(recipe))
        )
      )
      const handle = Effect.flatMap(Tree, (tree) => Effect.map(Refs, (refs) => new TreeHandle(tree, refs)))
      // `Supervised` is computed from its children's types, here not known before E and R are.
      const tree = Tree.layer({ ...own, strategy: own.strategy ?? "one_for_one" }, [partitions]) as Layer.Layer<
        Tree | Refs,
        E,
        Exclude<R, Supervisor.Supervisor>
      >
      return Layer.provide(Layer.effect(Key, handle), tree)
    }
    return Object.assign(Key, { layer })
  }

/**
 * The start recipe of a partition supervisor, for trees that are made at run time.
 *
 * @category recipes
 * @since 0.1.0
 */
export const recipe = <Ref extends HasProcess, E = never, R = never>(
  options: Options<Ref, E, R> & { readonly id: string }
): StartRecipe<PartitionSupervisor<Ref>, E, R> => {
  return {
    ...recipeOf("PartitionSupervisor.recipe", options),
    make: (parent, context, id) => {
      const refs: Array<Ref> = []
      const children = recipes({ ...options, id }).map((recipe, partition) => noting(recipe, refs, partition))
      const tree = Supervisor.recipe({ ...options, strategy: options.strategy ?? "one_for_one" }, children)
      const { child, ref } = tree.make(parent, context, id)
      return { child, ref: new TreeHandle(ref, refs) }
    }
  }
}

/** The same recipe, which notes what it made; again when the whole is made again, since one of them could not be. */
const noting = <Ref, E, R>(
  recipe: StartRecipe<Ref, E, R>,
  refs: Array<Ref>,
  partition: number
): StartRecipe<Ref, E, R> => ({
  ...recipe,
  make: (parent, context, id) => {
    const made = recipe.make(parent, context, id)
    refs[partition] = made.ref
    return made
  }
})

/** One recipe for each partition, by number. */
const recipes = <Ref extends HasProcess, E, R>(
  options: Options<Ref, E, R> & { readonly id: string }
): ReadonlyArray<StartRecipe<Ref, E, R>> => {
  const { child, id, partitions = Partition.defaultCount } = options
  const refuse = (option: string, given: unknown, expected: string) =>
    GivenOption.refuse({ of: id, option, given }, expected)
  GivenOption.integer({ of: id, option: "partitions", given: partitions }, 1)
  if ("autoShutdown" in options && options.autoShutdown !== "never") {
    refuse("autoShutdown", options.autoShutdown, "left out: no partition is more significant than another")
  }
  return Array.from({ length: partitions }, (_, partition) => {
    const recipe = typeof child === "function" ? child(partition) : child
    // For programs that the compiler has not seen.
    if (!Predicate.hasProperty(recipe, "make")) {
      refuse("child", recipe, "a start recipe, or a function from a partition's number to one")
    }
    if (recipe.options.restart === "temporary") {
      refuse(
        "child.options.restart",
        "temporary",
        "another: a partition that is not started again leaves its keys to none"
      )
    }
    return { ...recipe, id: String(partition) }
  })
}
