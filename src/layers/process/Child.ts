/**
 * The seam between supervisors and what they supervise.
 *
 * A supervisor knows start recipes and children, not servers: everything it may ask of a server, a container, a worker
 * or another supervisor is here. Whatever can finish without waiting answers with an `Exit`, so that starting, crashing
 * and restarting a server that has nothing to wait for costs no fiber.
 *
 * @since 0.1.0
 */
import type { Context, Duration, Effect } from "effect"
import type { ExitReason } from "../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../domain/process/Fate.ts"
import type { Usage } from "../../domain/supervision/restart/Intensity.ts"
import type { Sink } from "../observation/Sink.ts"
import type { Process } from "./Process.ts"

/** What a start came to. `info` is whatever extra the child's init handed to its starter (OTP: `{ok, Pid, Info}`). */
export type Started = { readonly _tag: "Started"; readonly info?: unknown } | { readonly _tag: "Ignored" }

/** A process as its supervisor sees it. */
export interface Child<out E = unknown> extends Process {
  /** Its place among the children of a dynamic supervisor, which keeps it; `-1` before it has one. */
  slot: number
  /**
   * Starts the next incarnation and completes when its init has: one number higher, in a fresh Scope. Never called
   * while an incarnation is alive. A failure means: nothing was left behind.
   */
  start(): Effect.Effect<Started, E>
  /**
   * Ends the incarnation that is alive or starting, and completes when it has ended, with the reason it really ended
   * with: finalizers run, or abandoned (fenced and reported) when the time is over. `reason` is the one it is to end
   * with. Without an incarnation it completes at once. Does not report the end through `Parent.exited`. `forGood`: it
   * is known already that it will be settled as `stopped`; only a supervisor has a use for that.
   */
  stop(reason: ExitReason, shutdown: Shutdown, forGood?: boolean): Effect.Effect<ExitReason>
  /**
   * It is up, and never started again (a temporary child): what only a start needs may be let go. Not every child
   * cares.
   */
  startsNoMore?(): void
  /** It has left the tree, after it was settled: it is never started or deleted again. Not every child cares. */
  removed?(): void
  /** The children that a supervisor has, for those who look from above. */
  below?(): Iterable<Child>
  /** What a supervisor has used of its budget. */
  readonly usage?: Usage
  /** Settles what becomes of it after an incarnation ended (by itself or by `stop`). Synchronous, never throws. */
  settle(fate: Fate): void
}

/** What a child knows of its supervisor. */
export interface Parent {
  readonly path: ReadonlyArray<string>
  readonly telemetry: Sink
  /** The supervisor of this one, if there is one. */
  readonly parent?: Parent
  /** Whether it is none: what stands above a root restarts nothing. */
  readonly isOutside?: true
  /**
   * The child's incarnation ended by itself (not through `stop`, and after a successful start): its finalizers have
   * run. May be called inside any stack; the parent only enqueues, or acts at once when it is free to.
   */
  exited(child: Child, incarnation: number, reason: ExitReason): void
}

/** The defaults a child brings with it; `Supervisor.child` overrides them. */
export interface ChildOptions {
  readonly restart?: "permanent" | "transient" | "temporary" | undefined
  readonly shutdown?: Duration.Input | "infinity" | "brutal_kill" | undefined
  readonly significant?: boolean | undefined
  readonly needs?: ReadonlyArray<string> | undefined
}

/**
 * How a process is made: registered with a supervisor once, run by it for every incarnation.
 *
 * `make` only builds the object (no incarnation is started); the supervisor then calls `start`. `A` is the reference
 * that the starter gets. `id` is the recipe's own, or the one that `Supervisor.child` put in its place: the child must
 * go by it.
 *
 * @category models
 * @since 0.1.0
 */
export interface StartRecipe<out A, out E = never, out R = never> {
  readonly id: string
  readonly kind: "worker" | "supervisor"
  readonly options: ChildOptions
  readonly make: (
    parent: Parent,
    context: Context.Context<R>,
    id: string
  ) => { readonly child: Child<E>; readonly ref: A }
}
