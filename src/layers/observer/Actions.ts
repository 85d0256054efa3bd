/**
 * What a page may do to a process, where that is allowed.
 *
 * Each is what a program could do with a handle, and nothing more: supervisors decide as always.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Schema } from "effect"
import type { Action } from "../../domain/observer/Requests.ts"
import { crashed, killed } from "../../domain/process/ExitReason.ts"
import type { Child } from "../process/Child.ts"
import type { AnyServer, WithState } from "../server/class/ServerRef.ts"
import { serverOf } from "../server/class/ServerRef.ts"
import type { ServerProcess } from "../server/engine/ServerProcess.ts"
import * as Sys from "../server/Sys.ts"
import { DynamicProcess } from "../supervision/dynamic/DynamicProcess.ts"
import { StaticHandle } from "../supervision/static/StaticHandle.ts"
import { SupervisorProcess } from "../supervision/static/SupervisorProcess.ts"
import { failure, parentOf, type Watched } from "./look/Look.ts"

/** What it did not do, and why. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

/** How long a server may take to answer. */
const options = { timeout: "3 seconds" } as const

const refused = (why: string) => new Refused({ why })

const asServer = (process: Watched): Effect.Effect<ServerProcess, Refused> => {
  const server = serverOf(process)
  return server === undefined ? refused(`${process.id} is no server.`) : Effect.succeed(server)
}

/** Its own client; what its state is cannot be known here. */
const refOf = (server: ServerProcess): AnyServer & WithState<unknown> => server.ref as never

const asRoot = "It is a root: it is stopped and started with the process that it is in."

const stop = (process: Watched): Effect.Effect<string, unknown> => {
  const parent = parentOf(process)
  if (parent instanceof SupervisorProcess) {
    return Effect.as(
      new StaticHandle(parent).terminateChild(process.id),
      "It is down. Its supervisor keeps its spec: it can be restarted."
    )
  }
  const stopping = parent instanceof DynamicProcess ? parent.terminateChild(process as Child) : undefined
  return stopping === undefined ? refused(asRoot) : Effect.as(stopping, "It is down, and has left its supervisor.")
}

const restart = (process: Watched): Effect.Effect<string, unknown> => {
  const parent = parentOf(process)
  if (parent instanceof SupervisorProcess) {
    const handle = new StaticHandle(parent)
    if (process.status === "parked") return Effect.as(handle.resumeChild(process.id), "It is resumed.")
    return Effect.as(
      Effect.andThen(handle.terminateChild(process.id), handle.restartChild(process.id)),
      "It is restarted. That is not charged to the budget."
    )
  }
  if (!(parent instanceof DynamicProcess)) return refused(asRoot)
  if (process.status === "parked") {
    return Effect.as(Effect.sync(() => parent.resumeChild(process as Child)), "It is resumed.")
  }
  // A dynamic supervisor restarts what has ended, and has no request to.
  return Effect.as(
    Effect.sync(() => process.exit(killed)),
    "It is ended, and its supervisor restarts it as it does after a kill: the budget is charged."
  )
}

const restore = Effect.fnUntraced(function*(process: Watched, seq: number) {
  const server = yield* asServer(process)
  const kept = yield* server.companion?.snapshots ?? Effect.succeed([])
  const snapshot = kept.find((one) => one.seq === seq)
  if (snapshot === undefined) return yield* refused(`Snapshot ${seq} is not kept any more.`)
  yield* Sys.replaceState(refOf(server), () => snapshot.state, options)
  return `It goes on from the state of snapshot ${seq}, as a commit of its own.`
})

const replay = Effect.fnUntraced(function*(process: Watched, at: number, message: string) {
  const server = yield* asServer(process)
  const found = Array.from(server.quarantined).find((one) => one.at === at && one.request === message)
  if (found === undefined) return yield* refused(`${message} is not in quarantine any more.`)
  yield* Sys.replay(refOf(server), found, options)
  return `${message} was handled.`
})

const perform = (action: Action, process: Watched): Effect.Effect<string, unknown> => {
  switch (action._tag) {
    case "Crash":
      return Effect.as(
        Effect.sync(() => process.exit(crashed(Cause.die(new Error("crashed by hand, from the observer"))))),
        "It is crashed: its supervisor decides what becomes of it."
      )
    case "Stop":
      return stop(process)
    case "Restart":
      return restart(process)
    case "Suspend":
      return Effect.flatMap(
        asServer(process),
        (server) => Effect.as(Sys.suspend(refOf(server), options), "Its messages wait until it is resumed.")
      )
    case "Resume":
      return Effect.flatMap(
        asServer(process),
        (server) => Effect.as(Sys.resume(refOf(server), options), "It goes on with its messages.")
      )
    case "Restore":
      return restore(process, action.seq)
    case "Replay":
      return replay(process, action.at, action.message)
  }
}

/** Does it, and says what came of it. */
export const act = (action: Action, process: Watched): Effect.Effect<string, Refused> =>
  Effect.catchCause(perform(action, process), (cause) => {
    const error = Cause.squash(cause)
    return Effect.fail(error instanceof Refused ? error : refused(failure(error)))
  })
