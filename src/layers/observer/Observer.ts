/**
 * The observer: a page that shows supervision trees live, and lets a person look into each process.
 *
 * One line in an app: a Layer that serves the page on this machine. It shows the trees that report to the `Telemetry`
 * of its context, or, where that has none, all of this JavaScript thread. While no page is open nothing is looked at.
 *
 * *Tricky*: whatever a browser on this machine shows can send requests to it. So it refuses a `Host` and an `Origin`
 * that are not its own, runs nothing but its own scripts, and does nothing to a process unless it is made with
 * `actions: true`. Others on this machine can read what it shows: give it a `token` where that matters.
 *
 * Needs `@effect/platform-node`, and effect's unstable `http`: it is an entry point of its own, `heirloom/Observer`.
 * Without that package it can be imported, and its Layer says what is missing.
 *
 * @since 0.1.0
 */
import { ByteSize, Clock, Context, type Duration, Effect, Layer, Redacted, type Terminal } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServer, type HttpServerError } from "effect/http"
import { createServer } from "node:http"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { Hearing } from "./Hearing.ts"
import { page } from "./Page.ts"
import { draw, routes } from "./Routes.ts"
import { Sampler } from "./Sampler.ts"
import { draw as drawn } from "./Terminal.ts"

/**
 * Where the observer listens, and what it allows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The port; 4980 by default, 0 for any that is free. */
  readonly port?: number | undefined
  /** The address; 127.0.0.1 by default: this machine alone. */
  readonly host?: string | undefined
  /** Names, with their ports, by which a browser may open it beside `127.0.0.1` and `localhost`; none by default. */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** Whether the page may crash, stop, restart, suspend and restore; `false` by default. */
  readonly actions?: boolean | undefined
  /**
   * What requests have to bring as a bearer token; none by default. The page asks for it, or takes it from `#token=…`.
   */
  readonly token?: Redacted.Redacted<string> | undefined
  /**
   * A line that the page shows: which app, on which machine. One that is asked for is asked for every few seconds, and
   * a page shows it as it was when the page was opened.
   */
  readonly about?: string | Effect.Effect<string> | undefined
  /** How often it looks while a page is open; every half second by default. */
  readonly every?: Duration.Input | undefined
}

/**
 * A running observer.
 *
 * @category services
 * @since 0.1.0
 */
export class Observer extends Context.Service<Observer, {
  /** Where its page is. */
  readonly url: string
}>()("heirloom/Observer") {}

/** Node's server: of a package that an app need not have to import this. */
const listening = (host: string, port: number) =>
  Layer.unwrap(Effect.map(
    Effect.tryPromise({
      try: () => import("@effect/platform-node/NodeHttpServer"),
      catch: (cause) =>
        new Error("heirloom/Observer needs the package @effect/platform-node: npm install @effect/platform-node", {
          cause
        })
    }).pipe(Effect.orDie),
    (NodeHttpServer) => NodeHttpServer.layer(createServer, { host, port, gracefulShutdownTimeout: "1 second" })
  ))

/** What the page is to say of its source. */
interface Says {
  readonly actions: boolean
  readonly about: string | Effect.Effect<string>
}

const aboutEvery = "5 seconds"

const looking = Effect.fnUntraced(function*({ about, actions }: Says) {
  const context = yield* Effect.context<never>()
  const clock = Context.get(context, Clock.Clock)
  const now = () => clock.currentTimeMillisUnsafe()
  const hearing = yield* Effect.acquireRelease(
    Effect.sync(() => new Hearing(context)),
    (hearing) => Effect.sync(() => hearing.leave())
  )
  const source = { about: typeof about === "string" ? about : "", actions, source: yield* draw, startedAt: now() }
  if (typeof about !== "string") {
    const asked = Effect.map(about, (line) => {
      source.about = line
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(asked, Effect.sleep(aboutEvery))), {
      startImmediately: true
    })
  }
  const sampler = new Sampler(hearing, source, now)
  yield* Effect.addFinalizer(() => Effect.sync(() => sampler.closeAll()))
  return { hearing, sampler }
})

const sampling = Effect.fnUntraced(function*(says: Says, every: number) {
  const { hearing, sampler } = yield* looking(says)
  const look = Effect.catchCause(
    Effect.sync(() => sampler.isWatched ? sampler.tick() : hearing.keepUp()),
    (cause) => Effect.logError("The observer failed to look; it goes on.", cause)
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(every))))
  return sampler
})

/**
 * Serves the page of the observer, until the scope closes.
 *
 * **When to use**
 *
 * Beside an app, or among the children of a supervisor: anywhere it is built with the app. In production with a
 * `token`, or through a tunnel to the machine, and with `actions` only where all who can open the page may do all of
 * that.
 *
 * **Details**
 *
 * Fails with a `ServeError` when the port cannot be had. Provides where its page is. States are shown as `formatStatus`
 * leaves them, without what their schemas mark (`StateSchema.redacted`), as text.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Supervisor } from "heirloom"
 * import * as Observer from "heirloom/Observer"
 *
 * const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [Supervisor.worker("poller", Effect.never)])
 *
 * const program = Effect.gen(function*() {
 *   const { url } = yield* Observer.Observer
 *   console.log((yield* Effect.promise(() => fetch(url))).status) // => 200
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.merge(App, Observer.layer({ port: 0 }))))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Observer, HttpServerError.ServeError> =>
  Layer.unwrap(Effect.sync(() => observing(given(options))))

const of = "Observer.layer"

/**
 * The options, checked. What opens more than was meant, where a program reads it from its environment, is refused: an
 * empty host is every address, an empty token is one that all have, and "false" is true.
 */
const given = (options: Options) => {
  const { about = "", actions = false, every = "500 millis", host = "127.0.0.1", hosts = [], port = 4980, token } =
    GivenOption.options(of, options)
  if (typeof actions !== "boolean") GivenOption.refuse({ of, option: "actions", given: actions }, "true or false")
  if (typeof about !== "string" && !Effect.isEffect(about)) {
    GivenOption.refuse({ of, option: "about", given: about }, "a string, or an Effect of one")
  }
  if (!Array.isArray(hosts)) GivenOption.refuse({ of, option: "hosts", given: hosts }, "a list of names")
  for (const name of hosts) GivenOption.text({ of, option: "hosts", given: name })
  GivenOption.text({ of, option: "host", given: host })
  if (!Number.isInteger(port)) GivenOption.refuse({ of, option: "port", given: port }, "a whole number")
  GivenOption.between({ of, option: "port", given: port }, 0, 65_535)
  if (token !== undefined && !(Redacted.isRedacted(token) && isSecret(Redacted.value(token)))) {
    // What was given may be the secret itself.
    const shown = Redacted.isRedacted(token) ? "an empty one" : "one that is not Redacted"
    GivenOption.refuse({ of, option: "token", given: shown }, "a Redacted string that is not empty")
  }
  return { about, actions, millis: GivenOption.period({ of, option: "every", given: every }), host, hosts, port, token }
}

const isSecret = (value: unknown): boolean => typeof value === "string" && value !== ""

const observing = (
  { about, actions, host, hosts, millis, port, token }: ReturnType<typeof given>
): Layer.Layer<Observer, HttpServerError.ServeError> => {
  const serving = Effect.gen(function*() {
    const sampler = yield* sampling({ actions, about }, millis)
    return HttpRouter.serve(routes(sampler, yield* page, { actions, hosts, token }), {
      disableLogger: true,
      disableListenLog: true
    })
  })
  const observer = Layer.effect(
    Observer,
    Effect.map(HttpServer.HttpServer, ({ address }) => ({ url: HttpServer.formatAddress(address) }))
  )
  return Layer.merge(Layer.unwrap(serving), observer).pipe(
    Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize, ByteSize.kibibytes(64))),
    Layer.provide(listening(host, port))
  )
}

/**
 * Shows the same in the terminal that the program has, until `q` is pressed: the tree, its totals, and what has
 * happened.
 *
 * **When to use**
 *
 * Where there is no browser: on a server, over `ssh`. It needs a terminal of its own: a program that logs to it
 * disturbs it.
 *
 * **Example**
 *
 * ```
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect } from "effect"
 * import { Supervisor } from "heirloom"
 * import * as Observer from "heirloom/Observer"
 *
 * const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [Supervisor.worker("poller", Effect.never)])
 *
 * await Effect.runPromise(Observer.terminal().pipe(Effect.provide([App, NodeServices.layer])))
 * ```
 *
 * @category terminal
 * @since 0.1.0
 */
export const terminal = (
  options: Pick<Options, "every"> = {}
): Effect.Effect<void, never, Terminal.Terminal> =>
  Effect.gen(function*() {
    const every = GivenOption.period({ of: "Observer.terminal", option: "every", given: options.every ?? "500 millis" })
    const { sampler } = yield* looking({ actions: false, about: "" })
    yield* drawn(sampler, every)
  }).pipe(Effect.scoped)
