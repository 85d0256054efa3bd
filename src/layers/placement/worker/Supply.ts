/**
 * Where threads and processes come from: one is kept ready, so that a restart does not cost a start of Node.
 *
 * A spare has loaded the modules that were asked for, and has built no layer: it holds no connection.
 *
 * @since 0.1.0
 */
import { Clock, Context, type Duration, Effect, Fiber, type Scope } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import * as Hang from "../../../domain/placement/Hang.ts"
import type { Place as Kind, WorkerFailed } from "../../../domain/placement/WorkerErrors.ts"
import { plainError } from "../../../domain/text/ForeignCause.ts"
import * as Timer from "../../process/Timer.ts"
import { start as startProcess } from "./ChildProcess.ts"
import { Host, type HostEvents } from "./Host.ts"
import type { Listener, Place, PlaceOptions, ResourceLimits } from "./Place.ts"
import { start as startThread } from "./Thread.ts"

/**
 * When a thread, or process, counts as hung, and what is done then.
 *
 * @category options
 * @since 0.1.0
 */
export interface HangOptions {
  /**
   * For how long it may be at the same message without a rest; 10 seconds by default. Time in which it waits for a
   * processor does not count, so that one that is starved by others is not taken for hung: Linux says how much that
   * was, and elsewhere, of a thread, Node 24.6 and later. Where nothing does, time does not count in which this process
   * was late itself.
   */
  readonly patience?: Duration.Input | undefined
  /**
   * `"report"` writes a warning; `"kill"` ends it as well, and its server crashes with `WorkerDied`. `"report"` by
   * default.
   */
  readonly action?: "report" | "kill" | undefined
}

/**
 * How threads, or processes, are made.
 *
 * @category options
 * @since 0.1.0
 */
export interface PlacementOptions {
  /** `"thread"` by default. A `"process"` survives native crashes and buffers as well, and costs more a call. */
  readonly placement?: "thread" | "process" | undefined
  /** What one may use; no limits of its own by default. */
  readonly resourceLimits?: ResourceLimits | undefined
  readonly hang?: HangOptions | undefined
  /**
   * Whether one is kept ready for the next incarnation; `true` by default. It costs the memory of a thread, or process.
   */
  readonly spare?: boolean | undefined
  /** The options of Node for it; those of this process by default, a loader of TypeScript among them. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** Its environment; that of this process by default. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** What is to be served: a class, and the module that has its entry. */
export interface Wanted {
  readonly url: string
  readonly server: { readonly key: string }
}

/** How a place of each kind is started. */
export type Starts = Readonly<Record<Kind, (options: PlaceOptions, listener: Listener) => Place>>

/** Where threads and processes come from. */
export interface Supply {
  readonly kind: Kind
  /** A thread or process, whose end is the taker's business. */
  readonly take: () => Host
  /** Has it load the module of a server, and build the services of its handlers; once. */
  readonly prepare: (host: Host, wanted: Wanted) => Effect.Effect<void, WorkerFailed>
}

/** Makes one; what it has ready ends with the scope. `isShared`: several servers are in one thread. */
export const make = Effect.fnUntraced(function*(
  of: string,
  options: PlacementOptions,
  isShared: boolean,
  starts: Starts = { thread: startThread, process: startProcess }
): Effect.fn.Return<Supply, never, Scope.Scope> {
  const { spare = true } = options
  const kind = GivenOption.oneOf({ of, option: "placement", given: options.placement ?? "thread" }, [
    "thread",
    "process"
  ])
  const patience = GivenOption.period({ of, option: "hang.patience", given: options.hang?.patience ?? "10 seconds" })
  const action = GivenOption.oneOf({ of, option: "hang.action", given: options.hang?.action ?? "report" }, [
    "report",
    "kill"
  ])
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const clock = Context.get(context, Clock.Clock)
  const watched = new WeakSet<Host>()
  const urls = new Map<string, string>()
  let ready: Host | undefined
  let isOver = false

  const inBackground = (effect: Effect.Effect<unknown>): void => {
    Effect.runForkWith(context)(effect).pipe(Fiber.runIn(scope))
  }

  const logged: HostEvents["logged"] = ({ annotations, cause, level, message }) => {
    const parts = cause === undefined ? message : [...message, plainError(cause)]
    inBackground(Effect.annotateLogs(Effect.logWithLevel(level)(...parts), annotations))
  }

  const unreleased: HostEvents["unreleased"] = (why, error) => {
    const what = `what the layers of a ${kind} of ${of} had acquired was not released ${why}`.trimEnd()
    inBackground(error === undefined ? Effect.logError(what) : Effect.logError(what, error))
  }

  const hung = (host: Host, millis: number): Effect.Effect<void> => {
    const spent = `has been busy for ${Math.round(millis)} ms with ${host.begun.join(", ") || "something else"}`
    const report = Effect.logWarning(`a ${kind} of ${of} ${spent}, without a rest`)
    return action === "report" ? report : Effect.andThen(report, host.kill(`${spent}: it was taken for hung`))
  }

  const asked = (host: Host): void => {
    if (watched.has(host)) return
    watched.add(host)
    inBackground(Effect.ensuring(watching(clock, host, patience, hung), Effect.sync(() => watched.delete(host))))
  }

  const fresh = (): Host => {
    const place: PlaceOptions = {
      resourceLimits: options.resourceLimits,
      execArgv: options.execArgv,
      env: options.env
    }
    return new Host(context, (listener) => starts[kind](place, listener), { logged, unreleased, asked }, isShared)
  }

  const keepOneReady = (): void => {
    if (!spare || isOver || ready !== undefined) return
    const host = fresh()
    ready = host
    // One that does not get that far is not used; the next one that is needed says why.
    const drop = (): void => {
      if (ready === host) ready = undefined
    }
    host.onDeath = drop
    const loading = Effect.forEach(urls, ([url, server]) => host.load(url, server), { discard: true })
    inBackground(Effect.catch(loading, () => host.end(0)))
  }

  yield* Effect.addFinalizer(() => {
    isOver = true
    return ready?.end(0) ?? Effect.void
  })

  return {
    kind,
    take: () => {
      const host = ready ?? fresh()
      ready = undefined
      return host
    },
    prepare: (host, { server, url }) => {
      urls.set(url, server.key)
      return Effect.tap(
        Effect.andThen(host.load(url, server.key), host.serve(server.key)),
        () => Effect.sync(keepOneReady)
      )
    }
  }
})

/** Looks at a thread as long as something is asked of it. */
const watching = Effect.fnUntraced(function*(
  clock: Clock.Clock,
  host: Host,
  patience: number,
  hung: (host: Host, millis: number) => Effect.Effect<void>
) {
  const every = Hang.everyFor(patience)
  let suspicion = Hang.calm
  let isReported = false
  let rests = 0
  host.place.look(0)
  let from = Timer.instantOf(clock)
  while (host.dead === undefined && rests < 10) {
    yield* Effect.sleep(every)
    const now = Timer.instantOf(clock)
    const millis = now - from
    from = now
    const { inHand } = host
    rests = inHand === undefined ? rests + 1 : 0
    suspicion = Hang.after(suspicion, { millis, lag: millis - every, inHand, ...host.place.look(millis) })
    if (suspicion.samples === 0) isReported = false
    if (isReported || !Hang.isHung(suspicion, patience)) continue
    isReported = true
    yield* hung(host, Hang.spentOf(suspicion))
  }
})
