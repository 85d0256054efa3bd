/**
 * What a supervisor decides about a child whose incarnation has ended, and how long it waits for one to end.
 *
 * @since 0.1.0
 */

import type { ExitReason } from "./ExitReason.ts"

/**
 * What becomes of a process after its incarnation ended.
 *
 * `restarting`: another incarnation follows, callers wait. `parked`: its supervisor gave up on it and keeps it; queued
 * calls are held, new ones answered `Parked`. `stopped`: it is down and its spec is kept; queued calls get
 * `NotRunning`, its companion keeps the state. `finished`: it ended in order and does not come back; a companion in
 * memory forgets. `deleted`: its spec is gone; a companion in memory forgets.
 */
export type Fate = "restarting" | "parked" | "stopped" | "finished" | "deleted"

/** How long a child may take to stop, in milliseconds. `brutal_kill` ends it at once, without its clean-up. */
export type Shutdown = number | "infinity" | "brutal_kill"

/** OTP's default for workers. After a kill it is also the longest time that is given to what is being released. */
export const defaultShutdown = 5000

/**
 * How long an end may take, in milliseconds, where `shutdown` would be given. After a kill there is an end to that,
 * whatever it says.
 */
export const patienceFor = (reason: ExitReason, shutdown: number): number =>
  reason._tag === "Killed" ? Math.min(shutdown, defaultShutdown) : shutdown

/** What a crash report says happens next. */
export const nextText: Record<Fate, string> = {
  restarting: "it is restarted",
  parked: "it is parked until it is resumed",
  stopped: "it stays down",
  finished: "it stays down",
  deleted: "it is gone"
}
