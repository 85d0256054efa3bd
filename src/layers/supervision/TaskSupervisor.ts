/**
 * Task supervisors: one-off effects as supervised children, to wait for or to forget.
 *
 * A task is a child of its own: it has a place in the tree, is stopped in order when the app shuts down, and its crash
 * is reported. Use one for work that may outlive the fiber that asks for it, or whose crash must not be that fiber's.
 * If the work belongs to one fiber alone you need no task: `Effect.forkChild`, `Effect.all` and `Effect.forEach` are
 * simpler. A process that is called, or that has a state, is a server. Mirrors Elixir's `Task` and `Task.Supervisor`.
 *
 * **Links.** OTP links two processes so that neither outlives the other. Here `async` links a task to a *scope* and to
 * the fiber that started it:
 *
 * - when the scope closes, for whatever reason, the task is stopped, and the scope has closed when it has ended. (In
 *   OTP an owner that ends normally leaves its task running; a scope leaves nothing behind.)
 * - a crash or a kill of a task reaches those that wait for it, as a typed {@link TaskError}. When none waits, nor
 *   has seen it, the fiber that started it is interrupted, with {@link LinkBroken} as the reason in its cause. (In OTP
 *   the owner dies even while it waits, unless it traps exits.)
 * - a task that is stopped in order, as when its supervisor shuts down, interrupts no fiber: those that wait get its
 *   reason. (In OTP it takes its owner along; here the owner may well be the one who is shutting down.)
 *
 * A *typed failure* of a task is a result, not a crash: it goes to those that wait, is not reported and breaks no link.
 * `asyncNolink` and `startChild` link nothing.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { StartRecipe } from "../process/Child.ts"
import * as DynamicSupervisor from "./DynamicSupervisor.ts"
import { ChildrenHandle, type TaskSupervisor } from "./task/TaskHandle.ts"

export { LinkBroken, type Task, type WaitOptions } from "./task/Task.ts"
export { TaskError, TaskErrorReason } from "./task/TaskError.ts"
export type { StartOptions, TaskOptions, TaskSupervisor } from "./task/TaskHandle.ts"
export { defaultConcurrency, type Outcome, type OutcomeOptions, type StreamOptions } from "./task/TaskStream.ts"

/**
 * How a task supervisor works: as a `DynamicSupervisor`, whose children are temporary unless they say otherwise.
 *
 * @category options
 * @since 0.1.0
 */
export type Options = DynamicSupervisor.Options

/**
 * The key of one task supervisor.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskSupervisorClass<Self, Id extends string> extends Context.ServiceClass<Self, Id, TaskSupervisor> {
  /** The task supervisor: a child of the nearest supervisor, or a root when there is none. */
  layer(options?: Options): Layer.Layer<Self>
}

/**
 * Declares a task supervisor.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TaskSupervisor } from "heirloom"
 *
 * class Tasks extends TaskSupervisor.Service<Tasks>()("app/Tasks") {}
 *
 * const program = Effect.gen(function*() {
 *   const tasks = yield* Tasks
 *   const answer = yield* tasks.async(Effect.succeed(42))
 *   console.log(yield* answer.await()) // => 42
 * }).pipe(Effect.scoped, Effect.provide(Tasks.layer({ maxChildren: 100 })))
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() => <const Id extends string>(id: Id): TaskSupervisorClass<Self, Id> => {
  const Key = Context.Service<Self, TaskSupervisor>()(id)
  class Children extends DynamicSupervisor.Service<Children>()(`${id}/Children`) {}
  return Object.assign(Key, {
    layer: (options?: Options): Layer.Layer<Self> =>
      Layer.effect(Key, Effect.map(Children, (children) => new ChildrenHandle(children))).pipe(
        Layer.provide(Children.layer({ ...options, id: options?.id ?? id }))
      )
  })
}

/**
 * The start recipe of a task supervisor: for trees made at run time, and for a `PartitionSupervisor` of them.
 *
 * @category recipes
 * @since 0.1.0
 */
export const recipe = (options: Options & { readonly id: string }): StartRecipe<TaskSupervisor> => {
  const children = DynamicSupervisor.recipe(GivenOption.options("TaskSupervisor.recipe", options))
  return {
    ...children,
    make: (parent, context, id) => {
      const { child, ref } = children.make(parent, context, id)
      return { child, ref: new ChildrenHandle(ref) }
    }
  }
}
