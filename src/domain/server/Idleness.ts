/**
 * What becomes of a server to which no message has come for long enough (`passivate`).
 *
 * It hibernates: its state leaves memory, the server stays. Or it stops: nothing of it stays, and who asks for its key
 * gets another in its place. Neither may take away what is still waited for. A hibernating server keeps all but its
 * state, so little holds it up; one that stops would lose what only it has.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../process/ExitReason.ts"
import type { Residency } from "../state/Passivation.ts"

/** How a server gives way. */
export type By = "hibernate" | "stop"

/** The reason of a server that stopped because it was left alone. */
export const idledAway: ExitReason = { _tag: "Shutdown", detail: "idle" }

/**
 * Things that can keep a server awake.
 *
 * `message`: one waits. `continuation`: its own work comes before any message. `promise`: a caller was promised a later
 * reply. `request`: it has sent one (`Requests.send`) that is not answered. `suspension`: it was suspended, and is to
 * be found so. `timeout`: its `idle` is to be called (`idleAfter`). `work`: a timer, linked work, a task or a watch of
 * its own. `name`: it is registered, or in a group. `quarantine`: messages are kept for a look. `debug`: it is watched.
 * `timer`: a durable timer is set that would go with it.
 */
export type Holder = keyof typeof holds

const holds = {
  message: { hibernate: true, stop: true },
  continuation: { hibernate: true, stop: true },
  promise: { hibernate: true, stop: true },
  request: { hibernate: true, stop: true },
  suspension: { hibernate: true, stop: true },
  timeout: { hibernate: false, stop: true },
  work: { hibernate: false, stop: true },
  name: { hibernate: false, stop: true },
  quarantine: { hibernate: false, stop: true },
  debug: { hibernate: false, stop: true },
  timer: { hibernate: false, stop: true }
}

/** Which holder keeps a server from giving way, and how. */
export const keepsAwake: Readonly<Record<Holder, Readonly<Record<By, boolean>>>> = holds

/** A server to which no message has come for long enough. */
export interface Sleepy {
  /** What goes on of it all the same. */
  readonly held: ReadonlyArray<Holder>
  readonly residency: Residency
  /** How it is to give way. */
  readonly by: By
  /** Whether who asks for its key gets another in its place. */
  readonly comesBack: boolean
}

/** It goes on as it is; it gives way as soon as its state is stored; it gives way now. */
export type Decision = "stay" | "wait" | By

/**
 * Decides what becomes of it.
 *
 * A state that a store has not got, since nothing of it was ever changed, cannot be loaded again. It is made again by
 * `init`: such a server stops, where it comes back when it is asked for.
 */
export const decide = ({ by, comesBack, held, residency }: Sleepy): Decision => {
  const may = (by: By): boolean => held.every((holder) => !keepsAwake[holder][by])
  if (!may(by)) return "stay"
  if (residency === "pending") return "wait"
  if (by === "stop") return "stop"
  if (residency === "stored") return "hibernate"
  return residency === "unwritten" && comesBack && may("stop") ? "stop" : "stay"
}
