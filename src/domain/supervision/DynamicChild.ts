/**
 * The status of a child of a dynamic supervisor, and which status follows which.
 *
 * A static supervisor decides by `Supervision.decide`, over everything that it knows. The children of a dynamic supervisor
 * know nothing of one another, so one table for one child is the whole rule; who is restarted at all is the truth table of
 * the restart types (`ChildSpec.isRestarted`), and whether a restart is allowed is for the budget to say.
 *
 * @since 0.1.0
 */

/**
 * Where a child is in its life.
 *
 * `starting`: its first incarnation is starting. `running`: an incarnation is alive. `restarting`: it waits for the budget,
 * or for its delay. `reviving`: it is being started again. `parked`: the budget is spent, and it is kept until it is resumed.
 * `stopping`: it was asked to stop. `ended`: it is down because its supervisor is ending, which still lists it. `gone`: it
 * has left the supervisor.
 */
export type Status = "starting" | "running" | "restarting" | "reviving" | "parked" | "stopping" | "ended" | "gone"

/**
 * What happens to a child.
 *
 * `up`, `ignored` and `failed` are what a start comes to. `exited` is an end of its own after which it is not restarted,
 * `crashed` one after which it is. `due`: its delay is over. `exhausted`: the budget is spent, and the supervisor parks.
 * `terminate`: it is asked to stop, by a request or because the supervisor ends. `stopped`: it has. `resume`: a request.
 */
export type Event =
  | "up"
  | "ignored"
  | "failed"
  | "exited"
  | "crashed"
  | "due"
  | "exhausted"
  | "terminate"
  | "stopped"
  | "resume"

/** Down for good: gone, or kept in the list while the supervisor itself is ending. */
const down = "down"

const table: Record<Status, Partial<Record<Event, Status | typeof down>>> = {
  starting: { up: "running", ignored: down, failed: down, terminate: "stopping" },
  running: { exited: down, crashed: "restarting", terminate: "stopping" },
  restarting: { due: "reviving", exhausted: "parked", terminate: down },
  reviving: { up: "running", ignored: down, failed: "restarting", terminate: "stopping" },
  parked: { resume: "reviving", terminate: down },
  stopping: { stopped: down, terminate: "stopping" },
  ended: {},
  gone: {}
}

/** The status that follows; `undefined` when the event does not concern a child in that status. */
export const next = (status: Status, event: Event, isEnding: boolean): Status | undefined => {
  // While the supervisor ends nothing comes back, and an end of its own is the end.
  const follows = table[status][isEnding && event === "crashed" ? "exited" : event]
  return follows === down ? (isEnding ? "ended" : "gone") : follows
}

/** Whether an incarnation is alive, or may be. */
export const isAlive = (status: Status): boolean =>
  status === "starting" || status === "running" || status === "reviving" || status === "stopping"

/** Whether it counts as active (OTP: `active` of `count_children`): up, or on its way down. */
export const isActive = (status: Status): boolean => status === "running" || status === "stopping"
