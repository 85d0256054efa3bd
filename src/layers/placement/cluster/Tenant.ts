/**
 * What a runner has of one key: the entity that its messages come to, and the server behind it.
 *
 * The entity is a shell that never dies: it starts the server when a message needs it, and again when that is due. What
 * becomes of the server is its own supervisor's affair.
 *
 * *Tricky*
 * - effect may close an entity beside the next one's start. One tenant has a key at a time: it holds the key's lock,
 *   taken before all else, until all that it has begun has ended.
 * - An entity may be closed while its server is starting. The supervisor of the server is noted before it is up, and
 *   none is made after the end has begun.
 *
 * @since 0.1.0
 */
import { type Clock, Effect, Exit, type Fiber } from "effect"
import * as Unheard from "../../../domain/placement/Unheard.ts"
import { CallError, callError, type CallErrorReason } from "../../../domain/process/CallError.ts"
import { isOrderly } from "../../../domain/process/ExitReason.ts"
import { isTakenOver } from "../../../domain/state/stored/StoreError.ts"
import { isFinal } from "../../../domain/supervision/ChildSpec.ts"
import { type Process, processOf } from "../../process/Process.ts"
import { instantOf } from "../../process/Timer.ts"
import { type At, isOfShutdown } from "../../server/class/Keyed.ts"
import { ServerProcess } from "../../server/engine/ServerProcess.ts"
import type { ServerClient } from "../../server/parts/ServerSpec.ts"
import { StartError } from "../../supervision/tree/SupervisorErrors.ts"
import type { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"

/** What all tenants of a class on one runner share. */
export interface Estate {
  readonly of: string
  readonly clock: Clock.Clock
  /** For how many milliseconds a server that has crashed too often is left down. */
  readonly downFor: number
  /** Starts the server of a key, or answers with it. */
  readonly at: At<ServerClient>
}

const shutdown = { _tag: "Shutdown" } as const

/** One key of a class on this runner. */
export class Tenant {
  readonly key: string
  private readonly estate: Estate
  /** Whether this runner has the key's shard. */
  private readonly isOurs: () => boolean
  /** The supervisor of its server, from before it is up. */
  private supervisor: Supervisor | undefined = undefined
  /** The same once it was up. */
  private up: Process | undefined = undefined
  /** The server that was found last, as long as its supervisor is up. */
  private found: ServerClient | undefined = undefined
  private downSince: number | undefined = undefined
  isClosed = false

  get name(): string {
    return `${this.estate.of}/${this.key}`
  }

  constructor(estate: Estate, key: string, isOurs: () => boolean) {
    this.estate = estate
    this.key = key
    this.isOurs = isOurs
  }

  /** Takes note of a supervisor that is made for its server; throws where none is to be made any more. */
  made(supervisor: Supervisor): void {
    if (this.isClosed) throw new Error(`the entity of ${this.name} is closed here`)
    this.supervisor = supervisor
  }

  /** The instant it is. */
  get now(): number {
    return instantOf(this.estate.clock)
  }

  /** Its server, started if there is none, for a message whose caller waits so long; or why there is none. */
  server(request: string, millis: number): Effect.Effect<ServerClient, CallError> {
    return Effect.suspend(() => {
      const { here } = this
      if (here !== undefined) return Exit.succeed(here)
      const refuse = (reason: CallErrorReason) => Exit.fail(callError(this.name, request, reason))
      if (this.isClosed || !this.isOurs()) return refuse(movedAway)
      const isUp = this.up?.status === "running"
      const again = this.again()
      if (again > 0) return refuse({ _tag: "NotRunning", again })
      const up = isUp || millis === Infinity
        ? this.estate.at(this.key)
        : Effect.timeoutOrElse(this.estate.at(this.key), { duration: millis, orElse: () => Exit.succeed(undefined) })
      return Effect.matchEffect(up, {
        onSuccess: (ref) => {
          if (ref === undefined) return refuse({ _tag: "Timeout", millis, begun: false, waitsFor: "start" })
          this.up = this.supervisor?.[processOf]
          this.found = ref
          return Exit.succeed(ref)
        },
        onFailure: (error) =>
          refuse(
            this.isClosed || isOfShutdown(error)
              ? movedAway
              : Unheard.toReason({ why: "start", begun: false }, undefined, error.message)
          )
      })
    })
  }

  /**
   * Its server, where that can be handed the next message, as a short way: what is looked up in `server` would be the
   * same one. `HandOver.test.ts`, `ClusterServer.test.ts` and `Placements.test.ts` hold it to that, where a server
   * ends, is taken over or is down.
   */
  get here(): ServerClient | undefined {
    const { found } = this
    if (found === undefined || this.isClosed || this.up?.status !== "running" || !this.isOurs()) return undefined
    const server = found[processOf]
    const isWell = server instanceof ServerProcess && server.status === "running" && !server.isLeaving
    return isWell ? found : undefined
  }

  /** What the failure of a call means to a caller elsewhere. */
  elsewhere(error: unknown, server: string): unknown {
    if (!(error instanceof CallError) || error.server !== server) return error
    const { reason, request } = error
    // What it did was refused by the store: another runner has the key.
    const isRefused = reason._tag === "NotConserved" && isTakenOver(reason)
    const unheard = isRefused ? Unheard.handedOver : this.isClosed ? Unheard.ofHandOver(reason) : undefined
    return unheard === undefined ? error : callError(this.name, request, Unheard.toReason(unheard, undefined))
  }

  /** The same for a message that its last server has left behind. */
  next(asker: Fiber.Fiber<unknown, unknown> | undefined): Effect.Effect<ServerClient, StartError> {
    if (!this.isClosed && this.isOurs()) return this.estate.at(this.key, asker)
    return Exit.fail(new StartError({ supervisor: this.estate.of, child: this.key, reason: { _tag: "Stopped" } }))
  }

  /** In how many milliseconds it may be started, since it has crashed too often. */
  private again(): number {
    const { up } = this
    const hasGivenUp = up !== undefined && up.status === "stopped" && up.lastExit !== undefined &&
      !isOrderly(up.lastExit) && !isFinal(up.lastExit)
    if (!hasGivenUp) return 0
    const { now } = this
    this.downSince ??= now
    const left = this.downSince + this.estate.downFor - now
    if (left > 0) return Math.ceil(left)
    this.downSince = undefined
    this.up = undefined
    return 0
  }

  /** Its server ends in order, and no other is started. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    return this.supervisor === undefined ? Effect.void : this.supervisor.stop(shutdown)
  })
}

const movedAway = Unheard.toReason(Unheard.movedAway, undefined)
