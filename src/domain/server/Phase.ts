/**
 * The phases of a server, and which may follow which.
 *
 * The engine moves between them; this is the table that it is held against. A new step of the engine is added
 * here: a model test drives random programs and compares each step it sees.
 *
 * @since 0.1.0
 */

// Numbers, because the first question of every call is "idle?".
/** Alive, and nothing is to be done: the direct path is open. */
export const Idle = 0
/** A message is being handled, or the state is being loaded. */
export const Busy = 1
/** Alive, and something is to be done before the direct path is open: a continuation, an idle timer, its state. */
export const Pending = 2
/** A start looks for what is conserved, or makes the behaviour. */
export const Starting = 3
/** `restore` runs. */
export const Restoring = 4
/** `init` runs. */
export const Initialising = 5
/** `terminate` runs, or the scope is being closed. */
export const Ending = 6
/** No incarnation is alive, and its supervisor has not decided otherwise. */
export const Restarting = 7
/** No incarnation is alive; its supervisor keeps it, and does not start it. */
export const Parked = 8
/** No incarnation is alive, and none will follow by itself. */
export const Stopped = 9

/** Where a server is in its life. Up to `Pending` it is alive, up to `Ending` it has an incarnation. */
export type Phase = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** Whether an incarnation has come up, and has not begun to end. */
export const isUp = (phase: Phase): boolean => phase < Starting

/** Whether an incarnation is being started. */
export const isStarting = (phase: Phase): boolean => phase >= Starting && phase < Ending

/** Whether there is no incarnation. */
export const isDown = (phase: Phase): boolean => phase > Ending

// A start that fails, or is given up, has had no clean-up of its own.
const fromCallback: ReadonlyArray<Phase> = [Idle, Pending, Restarting]

/** Which phases may follow a phase. */
export const mayFollow: Readonly<Record<Phase, ReadonlyArray<Phase>>> = {
  // Its messages are watched from now on.
  [Idle]: [Busy, Pending, Ending],
  // An incarnation that is abandoned has no clean-up.
  [Busy]: [Idle, Pending, Ending, Restarting],
  [Pending]: [Idle, Busy, Ending],
  [Starting]: [Restoring, Initialising, Idle, Restarting],
  [Restoring]: fromCallback,
  [Initialising]: fromCallback,
  [Ending]: [Restarting],
  [Restarting]: [Starting, Parked, Stopped],
  [Parked]: [Restarting, Stopped],
  // It was left down with a sibling that it stands on, and comes back with that one: callers wait for it again.
  [Stopped]: [Starting, Restarting]
}

/** What a phase is called where people look. */
export type PhaseName =
  | "idle"
  | "busy"
  | "pending"
  | "starting"
  | "restoring"
  | "initialising"
  | "ending"
  | "restarting"
  | "parked"
  | "stopped"

/** The name of each phase. */
export const nameOf: Readonly<Record<Phase, PhaseName>> = {
  [Idle]: "idle",
  [Busy]: "busy",
  [Pending]: "pending",
  [Starting]: "starting",
  [Restoring]: "restoring",
  [Initialising]: "initialising",
  [Ending]: "ending",
  [Restarting]: "restarting",
  [Parked]: "parked",
  [Stopped]: "stopped"
}
