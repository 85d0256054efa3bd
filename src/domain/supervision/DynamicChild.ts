/**
 * The status of a child of a dynamic supervisor, and which status follows which.
 *
 * A static supervisor decides by `Supervision.decide`, over everything that it knows. The children of a dynamic
 * supervisor know nothing of one another, so one table for one child is the whole rule; who is restarted at all is the
 * truth table of the restart types (`ChildSpec.isRestarted`), and whether a restart is allowed is for the budget to
 * say.
 *
 * @since 0.1.0
 */

/**
 * Where a child is in its life.
 *
 * `starting`: its first incarnation is starting. `running`: an incarnation is alive. `restarting`: it waits for the
 * budget, or for its delay. `reviving`: it is being started again. `parked`: the budget is spent, and it is kept until
 * it is resumed. `stopping`: it was asked to stop. `gone`: it has left the supervisor.
 */
export type Status = "starting" | "running" | "restarting" | "reviving" | "parked" | "stopping" | "gone"

/**
 * What happens to a child.
 *
 * `up`, `ignored`, `failed` and `refused` are what a start comes to; one that is refused is not tried again. `exited`
 * is an end of its own after which it is not restarted, `crashed` one after which it is. `due`: its delay is over.
 * `exhausted`: the budget is spent, and the supervisor parks. `terminate`: it is asked to stop, by a request or because
 * the supervisor ends. `stopped`: it has. `resume`: a request.
 */
export type Event =
  | "up"
  | "ignored"
  | "failed"
  | "refused"
  | "exited"
  | "crashed"
  | "due"
  | "exhausted"
  | "terminate"
  | "stopped"
  | "resume"

/**
 * The status that follows; `undefined` when the event does not concern a child in that status.
 *
 * **Details**
 *
 * | status | event: what follows |
 * |---|---|
 * | `starting` | `up`: running. `terminate`: stopping. `ignored`, `failed`, `refused`: gone |
 * | `running` | `crashed`: restarting. `terminate`: stopping. `exited`: gone |
 * | `restarting` | `due`: reviving. `exhausted`: parked. `terminate`: gone |
 * | `reviving` | `up`: running. `failed`: restarting. `terminate`: stopping. `ignored`, `refused`: gone |
 * | `parked` | `resume`: reviving. `terminate`: gone |
 * | `stopping` | `terminate`: stopping. `stopped`: gone |
 */
export const next = (status: Status, event: Event): Status | undefined => {
  switch (status) {
    case "starting":
      return event === "up"
        ? "running"
        : event === "terminate"
        ? "stopping"
        : event === "ignored" || event === "failed" || event === "refused"
        ? "gone"
        : undefined
    case "running":
      return event === "terminate"
        ? "stopping"
        : event === "crashed"
        ? "restarting"
        : event === "exited"
        ? "gone"
        : undefined
    case "restarting":
      return event === "due"
        ? "reviving"
        : event === "exhausted"
        ? "parked"
        : event === "terminate"
        ? "gone"
        : undefined
    case "reviving":
      return event === "up"
        ? "running"
        : event === "failed"
        ? "restarting"
        : event === "terminate"
        ? "stopping"
        : event === "ignored" || event === "refused"
        ? "gone"
        : undefined
    case "parked":
      return event === "resume" ? "reviving" : event === "terminate" ? "gone" : undefined
    case "stopping":
      return event === "stopped" ? "gone" : event === "terminate" ? "stopping" : undefined
    case "gone":
      return undefined
  }
}

/** Whether an incarnation is alive, or may be. */
export const isAlive = (status: Status): boolean =>
  status === "starting" || status === "running" || status === "reviving" || status === "stopping"

/** Whether it counts as active (OTP: `active` of `count_children`): up, or on its way down. */
export const isActive = (status: Status): boolean => status === "running" || status === "stopping"
