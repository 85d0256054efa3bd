/**
 * The generic process: all that a monitor, a registry or a supervisor's listing knows of a server, a container, a
 * supervisor or a worker.
 *
 * A process is *logical*: it outlives its incarnations. Each incarnation has a number that only grows and ends once.
 *
 * @since 0.1.0
 */
import { Predicate } from "effect"
import type { ExitReason } from "../../domain/process/ExitReason.ts"

/**
 * Where a process is in its life.
 *
 * `starting`: init is running. `running`: an incarnation is alive. `restarting`: the last one ended and another will
 * follow. `parked`: its supervisor gave up on it and keeps it. `stopped`: it is down and nobody is about to start it.
 */
export type Status = "starting" | "running" | "restarting" | "parked" | "stopped"

/** Told once, when the incarnation it was registered on has ended; must not throw and must only enqueue. */
export type ExitObserver = (incarnation: number, reason: ExitReason) => void

/**
 * Told once, when the process is down and nobody is about to start it again: it finished, was stopped on purpose, was
 * deleted, or never came up. Runs inside the stack of whoever decided it: must not throw and must only do bookkeeping.
 */
export type GoneObserver = (reason: ExitReason) => void

/** Where a reference carries the process it stands for. */
export const processOf: unique symbol = Symbol.for("heirloom/processOf")

/** A value that stands for a process: the client of a server, the handle of a supervisor or of a worker. */
export interface HasProcess {
  readonly [processOf]: Process
}

/** What everybody may know of a process. It stands for itself: it can be watched, registered and ended as it is. */
export interface Process extends HasProcess {
  /** Its id under its supervisor. */
  readonly id: string
  /** Its address: the ids from the root supervisor down to itself. */
  readonly path: ReadonlyArray<string>
  readonly kind: "worker" | "supervisor"
  /** Number of the incarnation that is alive, or of the last one; 0 before the first start. */
  readonly incarnation: number
  readonly status: Status
  /** How the last incarnation ended; `undefined` while none has. */
  readonly lastExit: ExitReason | undefined
  /**
   * Observes the end of the incarnation that is alive. Returns false, and keeps nothing, when none is. An observer is kept
   * once, however often it is added; adding and removing one takes the same time however many there are.
   */
  addExitObserver(observer: ExitObserver): boolean
  removeExitObserver(observer: ExitObserver): void
  /**
   * Observes the end of the process itself: its status became `stopped`. Restarts and parking are not the end. Returns
   * false, and keeps nothing, when it is `stopped` already. An observer is forgotten once it was told.
   */
  addGoneObserver(observer: GoneObserver): boolean
  removeGoneObserver(observer: GoneObserver): void
  /**
   * Ends the incarnation that is alive or starting, as an exit signal from outside (OTP: `exit/2`): its supervisor sees the
   * exit and acts on it. `Killed` skips `terminate`. Returns at once; does nothing when no incarnation is alive.
   */
  exit(reason: ExitReason): void
}

/** Whether a value stands for a process. */
export const hasProcess = (u: unknown): u is HasProcess => Predicate.hasProperty(u, processOf)

/**
 * A reference to a process of which only the handle is at hand, such as one from `whichChildren`: to watch it, or to
 * register it.
 */
export const reference = (process: Process): HasProcess => ({ [processOf]: process })
