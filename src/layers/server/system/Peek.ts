/**
 * Looking at a process from outside: at once, without a message to it. Users know it as `Sys`.
 *
 * What `Sys.getStatus` tells comes from the server itself, in its turn. This reads what the engine has in memory, also
 * while a handler takes its time, while the server starts, sleeps or is down; it wakes nothing and asks no store.
 *
 * @since 0.1.0
 */
import { Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { isUp, nameOf, type PhaseName } from "../../../domain/server/Phase.ts"
import type { Evidence, Generations } from "../../../domain/state/Generations.ts"
import type { Usage } from "../../../domain/supervision/restart/Intensity.ts"
import type { Child } from "../../process/Child.ts"
import { from, type HasProcess, type Process, type Status } from "../../process/Process.ts"
import type { Latest } from "../../state/companion/Companion.ts"
import { type AnyServer, serverOf } from "../class/ServerRef.ts"
import type { ServerProcess } from "../engine/ServerProcess.ts"
import { passivated, type Server } from "../parts/Server.ts"
import { formatted } from "../parts/Shown.ts"

/**
 * What is seen of any process at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Peek {
  readonly path: ReadonlyArray<string>
  readonly kind: Process["kind"]
  readonly incarnation: number
  /** As `Sys.getStatus` has it. */
  readonly status: Status | "suspended" | "hibernating"
  /** How the last incarnation ended. */
  readonly lastExit: ExitReason | undefined
  /** What of its budget a supervisor has used; absent for any other process. */
  readonly budget?: Usage
  /** What there is more to see of a server; absent for any other process. */
  readonly server?: ServerPeek
}

/**
 * What is seen of a server at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerPeek {
  /** Its class, and its key; the latter is empty for one that has none. */
  readonly class: string
  readonly key: string
  /** What it is doing. */
  readonly phase: PhaseName
  /** Since when, in milliseconds of the Clock; absent where that takes no time (`idle`), or is not noted. */
  readonly since?: number
  /** Tag of the message in hand; absent while there is none. */
  readonly inHand?: string
  /** Messages that wait, and how many may; `Infinity` for no limit. */
  readonly queued: number
  readonly capacity: number
  /** Messages that this incarnation has handled; each incarnation begins anew. */
  readonly handled: number
  /** Answers that wait until the state they were computed from is stored. */
  readonly held: number
  /** Callers that were promised a later answer (`Next.noReply`). */
  readonly promised: number
  /** Messages in quarantine. */
  readonly quarantined: number
  /** Durable timers that are set. */
  readonly timers: number
  /** Number of the snapshot that the incarnation started from; 0 when it started from `init`. */
  readonly restoredFrom: number
  /** Number of the newest commit; 0 while there is none. */
  readonly seq: number
  /** Where its state is stored, and what the store said last, while it is away. */
  readonly store?: { readonly name: string; readonly key: string; readonly outage?: string }
}

/** What a server is doing, in a word. */
export const statusOf = (server: Server): Peek["status"] =>
  server.isHibernating ? "hibernating" : server.suspended ? "suspended" : server.status

const nothingYet: Latest = { books: undefined, isConserved: false, isPending: false, stored: 0, held: 0 }

const latestOf = (server: Server): Latest => server.companion?.latest ?? nothingYet

const serverPeek = (server: ServerProcess): ServerPeek => {
  const { current, occasional, outage, running, spec } = server
  const { held, store } = latestOf(server)
  return {
    class: spec.id,
    key: server.key,
    phase: nameOf[server.phase],
    ...(running?.fiber === undefined || running.since === 0 ? {} : { since: running.since }),
    ...(current === undefined ? {} : { inHand: current.type.tag }),
    queued: server.mailboxSize,
    capacity: spec.capacity,
    handled: server.handled,
    held,
    promised: occasional?.promised.size ?? 0,
    quarantined: server.quarantined.size,
    timers: server.timers.length,
    restoredFrom: server.restoredFrom,
    seq: server.seq,
    ...(store === undefined ? {} : { store: outage === undefined ? store : { ...store, outage } })
  }
}

/**
 * What is seen of a process at once, without a message to it.
 *
 * **When to use**
 *
 * For those who look at many processes, or at one that may be stuck: a page, a health check, a test. What only the
 * server itself can tell, `Sys.getStatus` asks it.
 *
 * **Details**
 *
 * It does not wait behind the message in hand, wakes no server that hibernates, and asks no store. Counts and statuses
 * are those of one instant. It shows no state and no payload: for that there is {@link committed}.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, StateContainer, Supervisor, Sys } from "heirloom"
 *
 * class Slow extends GenServer.Service<Slow>()("app/Slow", {
 *   state: Schema.Int,
 *   messages: { Work: GenServer.cast() }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Slow),
 *   Slow.layer({ init: 0, handlers: { Work: (n) => Effect.as(Effect.sleep("1 minute"), n + 1) } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const slow = yield* Slow
 *   yield* slow.Work()
 *   yield* slow.Work()
 *   yield* Effect.yieldNow
 *   const { server } = yield* Sys.peek(slow)
 *   console.log(server?.phase, server?.inHand, server?.queued) // => busy Work 1
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category inspection
 * @since 0.1.0
 */
export const peek = (ref: HasProcess): Effect.Effect<Peek> =>
  Effect.sync(() => {
    const process: Process & Partial<Child> = from(ref, "Sys.peek")
    const { incarnation, kind, lastExit, path, usage } = process
    const server = serverOf(ref)
    return {
      path,
      kind,
      incarnation,
      status: server === undefined ? process.status : statusOf(server),
      lastExit,
      ...(usage === undefined ? {} : { budget: usage }),
      ...(server === undefined ? {} : { server: serverPeek(server) })
    }
  })

/**
 * The state of a server as of its last commit, as it may be shown.
 *
 * @category models
 * @since 0.1.0
 */
export interface Committed {
  /** What may be shown of the state. */
  readonly state: unknown
  /** Number of the snapshot; 0 where nothing is conserved. */
  readonly seq: number
  /** The incarnation that committed it. */
  readonly incarnation: number
  /**
   * `trusted`: a message was handled from it. `probation`: none was, and nothing speaks against it. `suspect`:
   * callbacks or messages crashed on it.
   */
  readonly trust: "trusted" | "probation" | "suspect"
  /** What crashed on it. */
  readonly against: ReadonlyArray<string>
  /** Whether it is conserved: over a store, whether it is stored. */
  readonly isConserved: boolean
}

const trustOf = (books: Generations<unknown>): Pick<Committed, "trust" | "against"> => {
  const trust = books?.trust ?? "probation"
  return typeof trust === "string" ? { trust, against: [] } : { trust: "suspect", against: evidence(trust) }
}

const evidence = ({ callbacks, messages }: Evidence): ReadonlyArray<string> => [
  ...callbacks.map(({ callback, why }) => `${callback}: ${why}`),
  ...Array.from(messages, ([, tag]) => tag)
]

/**
 * The state of a server as of its last commit, without a message to it: none while none is in memory (it hibernates,
 * has not begun, or is down and its store has it).
 *
 * **Details**
 *
 * The state of a message in hand is not seen before it is committed. The state is shown as the behaviour's
 * `formatStatus` leaves it, and without what its schema marks as secret (`StateSchema.redacted`). Over a store it may
 * be newer than what is stored: `isConserved` says so.
 *
 * @category inspection
 * @since 0.1.0
 */
export const committed = (ref: AnyServer): Effect.Effect<Option.Option<Committed>> =>
  Effect.sync(() => {
    const server = serverOf(ref, "Sys.committed")
    if (server === undefined) return Option.none()
    const { books, isConserved } = latestOf(server)
    const isOwn = isUp(server.phase)
    if (isOwn ? server.state === passivated : books === undefined) return Option.none()
    const state = isOwn ? server.state : books!.state
    return Option.some({
      state: formatted(server, { state, log: [] }).state,
      seq: server.seq,
      incarnation: books?.incarnation ?? server.incarnation,
      ...trustOf(books),
      isConserved
    })
  })
