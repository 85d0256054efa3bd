/**
 * Random programs for one server of the real engine: messages whose handlers do anything, orders, time, its supervisor.
 */
import { assert } from "@effect/vitest"
import { Cause, Context, Effect, Exit, type Fiber, Latch, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../src/domain/process/ExitReason.ts"
import { GenServer, Next, Process, Restart, StateContainer, type StateStore, Supervisor, Sys } from "../../src/index.ts"
import { ServerProcess } from "../../src/layers/server/engine/ServerProcess.ts"
import { now } from "./Fibers.ts"
import { layer as storeLayer, Scripted, Store } from "./Scripted.ts"

/** What a handler does with a message. */
const How = Schema.Literals([
  ...[
    "answer",
    "answer",
    "answer",
    "answer",
    "answer quickly",
    "answer quickly",
    "wait",
    "wait",
    "be deaf",
    "be deaf"
  ] as const,
  ...["fail", "die", "die", "throw", "interrupt", "later", "later", "continue", "continue and die"] as const,
  ...["await idleness", "be idle at once", "hibernate", "hibernate", "kill itself", "answer nonsense"] as const,
  ...["stop", "stop with a reply", "stop badly", "hang"] as const
])

/** What happens next. */
const Step = Schema.Struct({
  what: Schema.Literals([
    ...[
      "Call",
      "Call",
      "Call",
      "Again",
      "Again",
      "Again",
      "Cast",
      "CastAgain",
      "reply",
      "wait",
      "wait",
      "wait"
    ] as const,
    ...[
      "order",
      "supervise",
      "supervise",
      "boot",
      "open",
      "open",
      "open",
      "close",
      "suspend",
      "resume",
      "resume"
    ] as const,
    "give up"
  ]),
  how: How,
  order: Schema.Literals(["shutdown", "crash", "kill", "stop"]),
  supervise: Schema.Literals(["terminate", "restart", "restart", "restart", "resume"]),
  boot: Schema.Literals(["quickly", "quickly", "quickly", "with a timeout", "wait", "fail", "die", "ignore"]),
  millis: Schema.Literals([0, 0, 500, 1000, 5000])
})

/** A program, and the server that it is run with. */
export const AnyProgram = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(60)),
  over: Schema.Literals(["memory", "store"]),
  restart: Schema.Literals(["permanent", "permanent", "permanent", "transient", "temporary"]),
  restarts: Schema.Literals([1, 50, 50]),
  onGiveUp: Schema.Literals(["park", "escalate"]),
  terminate: Schema.Literals(["nothing", "quickly", "wait", "be deaf", "fail"]),
  initTimeout: Schema.Literals([1000, 1_000_000_000]),
  /** Whether each incarnation makes its behaviour. */
  isMade: Schema.Boolean,
  restores: Schema.Boolean,
  /** How it gives way when it is left alone for a second. */
  gives: Schema.Literals(["never", "never", "hibernate", "stop"]),
  /** Whether what waits goes on at first. */
  isOpen: Schema.Boolean
})
export type AnyProgram = typeof AnyProgram.Type

const ordinary: typeof Step.Type = {
  what: "wait",
  how: "answer",
  order: "kill",
  supervise: "terminate",
  boot: "quickly",
  millis: 0
}

/** A program of these steps, for what random ones seldom do; what is left out is the most ordinary. */
export const program = (
  given: Partial<Omit<AnyProgram, "steps">>,
  ...steps: ReadonlyArray<Partial<typeof Step.Type>>
): AnyProgram => ({
  over: "memory",
  restart: "permanent",
  restarts: 50,
  onGiveUp: "park",
  terminate: "nothing",
  initTimeout: 1_000_000_000,
  isMade: false,
  restores: false,
  gives: "never",
  isOpen: true,
  ...given,
  steps: steps.map((step) => Object.assign({ ...ordinary }, step))
})

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const payload = { how: How }
const call = { payload, reply: Schema.Int, error: Refused, timeout: "infinity" } as const

class Subject extends GenServer.Service<Subject>()("test/Subject", {
  state: Schema.Int,
  messages: {
    Call: GenServer.call(call),
    Again: GenServer.call({ ...call, redeliver: { maxAttempts: 2 } }),
    Cast: GenServer.cast({ payload }),
    CastAgain: GenServer.cast({ payload, redeliver: { maxAttempts: 2 } })
  }
}) {}

type How = typeof How.Type

class Top extends Supervisor.Service<Top>()("test/Top") {}

const orders: Record<"shutdown" | "crash", ExitReason> = {
  shutdown: { _tag: "Shutdown" },
  crash: { _tag: "Crashed", cause: Cause.die("ordered") }
}

const boom = Effect.die("boom")

/** The answer of a call's handler, as one of a cast's would be. */
const asCast = (next: unknown): unknown =>
  Array.isArray(next)
    ? next[1]
    : next instanceof Next.Reply
    ? Next.noReply(next.state as number, next.options as {})
    : Effect.isEffect(next)
    ? Effect.map(Effect.orDie(next as Effect.Effect<unknown, unknown>), asCast)
    : next

/** The recipe, whose server is seen before it is started. */
const watched = <A, E, R>(
  recipe: Supervisor.StartRecipe<A, E, R>,
  watch: (server: ServerProcess) => void
): Supervisor.StartRecipe<A, E, R> => ({
  ...recipe,
  make: (parent, context, id) => {
    const made = recipe.make(parent, context, id)
    if (made.child instanceof ServerProcess) watch(made.child)
    return made
  }
})

/** Runs a program; `watch` sees the server before it is started, and `check` is called after each step. */
export const run = Effect.fnUntraced(function*(
  program: AnyProgram,
  watch: (server: ServerProcess) => void,
  check: () => void
) {
  const gate = Latch.makeUnsafe(program.isOpen)
  const script = new Scripted()
  script.before = () => storage.await
  const storage = Latch.makeUnsafe(true)
  const promised: Array<GenServer.From<number, Refused>> = []
  const callers: Array<Fiber.Fiber<unknown, unknown>> = []
  let server: ServerProcess | undefined
  let boot: typeof Step.Type["boot"] = "quickly"

  const answer = (n: number, how: How, promise: () => void): unknown => {
    const next = [n, n + 1] as const
    switch (how) {
      case "answer":
        return next
      case "answer quickly":
        return Effect.succeed(next)
      case "wait":
        return Effect.as(gate.await, next)
      case "hang":
        return Effect.never
      case "be deaf":
        return Effect.as(Effect.uninterruptible(gate.await), next)
      case "fail":
        return Effect.fail(new Refused())
      case "die":
        return boom
      case "throw":
        throw new Error("boom")
      case "interrupt":
        return Effect.interrupt
      case "later":
        promise()
        return Next.noReply(n + 1)
      case "stop":
        return Next.stop("shutdown")
      case "stop with a reply":
        return Next.stop("normal", { reply: n, state: n + 1 })
      case "stop badly":
        return Next.stop(orders.crash)
      case "continue":
        return Next.reply(n, n + 1, { continueWith: (n: number) => Effect.as(gate.await, n + 1) })
      case "continue and die":
        return Next.reply(n, n + 1, { continueWith: () => boom })
      case "await idleness":
        return Next.reply(n, n + 1, { idleAfter: 500 })
      case "be idle at once":
        return Next.reply(n, n + 1, { idleAfter: 0 })
      case "hibernate":
        return Next.reply(n, n + 1, { hibernate: true })
      case "answer nonsense":
        return Promise.resolve()
      case "kill itself":
        if (server !== undefined) Effect.runSync(Process.kill(server))
        return next
    }
  }
  const call = (n: number, { how }: { readonly how: How }, { from }: GenServer.HandlerContext<number, Refused>) =>
    answer(n, how, () => promised.push(from)) as Effect.Effect<readonly [number, number], Refused>
  const cast = (n: number, { how }: { readonly how: How }) => asCast(answer(n, how, () => {})) as Effect.Effect<number>

  const first = (n: number) =>
    Effect.suspend((): Effect.Effect<Next.Initial<number>, Refused> => {
      switch (boot) {
        case "quickly":
          return Effect.succeed(Next.start(n))
        case "with a timeout":
          return Effect.succeed(Next.start(n, { idleAfter: 500 }))
        case "wait":
          return Effect.as(gate.await, Next.start(n))
        case "fail":
          return Effect.fail(new Refused())
        case "die":
          return boom
        case "ignore":
          return Effect.succeed(Next.ignore)
      }
    })
  const cleanUp = {
    "quickly": Effect.void,
    "wait": gate.await,
    "be deaf": Effect.uninterruptible(gate.await),
    "fail": boom
  }
  const { gives, initTimeout, onGiveUp, over, restart, restarts, terminate } = program
  const behavior = Subject.behavior({
    init: first(0),
    ...(program.restores ? { restore: first } : {}),
    handlers: { Call: call, Again: call, Cast: cast, CastAgain: cast },
    idle: (n) => n + 1,
    ...(terminate === "nothing" ? {} : { terminate: () => cleanUp[terminate] })
  })
  // A permanent one that stops would only be restarted.
  const by = gives === "stop" && restart === "permanent" ? "hibernate" : gives
  const passivate = by === "never" ? undefined : { after: 1000, by }
  const options = { key: "one", restart, shutdown: 1000, initTimeout, passivate }
  // Making it cannot be interrupted.
  const made = Effect.suspend(() => boot === "wait" ? Effect.as(gate.await, behavior) : Effect.succeed(behavior))
  const recipe = program.isMade
    ? Subject.recipe(Effect.uninterruptible(made), options)
    : Subject.recipe(behavior, options)

  const registered = Layer.effect(
    Subject,
    Effect.flatMap(
      Supervisor.Supervisor,
      (supervisor) => supervisor.register(watched(recipe, (made) => watch(server = made)))
    )
  )
  const container: Layer.Layer<
    StateContainer.StateOf<Subject>,
    StateStore.StoreError,
    Store | Supervisor.Supervisor
  > = over === "memory"
    ? StateContainer.layerMemory(Subject)
    : StateContainer.layerStore(Subject, { store: Store })
  const intensity = Restart.intensity({ restarts, within: 5000 })
  const services = yield* Layer.build(
    Top.layer({ id: "top", strategy: "one_for_one", restart: intensity, onGiveUp }, [container, registered]).pipe(
      Layer.provide(storeLayer(script)),
      Layer.provide(Logger.layer([]))
    )
  )
  const subject = Context.get(services, Subject)
  const top = Context.get(services, Top)
  const id = server!.id

  const act = Effect.fnUntraced(function*({ boot: next, how, millis, order, supervise, what }: typeof Step.Type) {
    switch (what) {
      case "Call":
      case "Again":
      case "Cast":
      case "CastAgain":
        callers.push(yield* now(Effect.exit<unknown, unknown, never>(subject[what]({ how }))))
        break
      case "order":
        if (order === "stop") callers.push(yield* now(Effect.exit(GenServer.stop(subject))))
        else yield* order === "kill" ? Process.kill(subject) : Process.exit(subject, orders[order])
        break
      case "wait":
        yield* TestClock.adjust(millis)
        break
      case "open":
        yield* gate.open
        yield* storage.open
        break
      case "close":
        yield* millis === 500 ? storage.close : gate.close
        break
      case "supervise":
        callers.push(yield* now(Effect.exit(top[`${supervise}Child`](id))))
        break
      case "boot":
        boot = next
        break
      case "reply": {
        const from = promised.shift()
        if (from !== undefined) yield* GenServer.reply(from, Exit.succeed(millis))
        break
      }
      case "suspend":
      case "resume":
        callers.push(
          yield* now(Effect.exit(
            (what === "suspend" ? Sys.suspend : Sys.resume)(subject, { timeout: "infinity" })
          ))
        )
        break
      case "give up":
        callers[millis % callers.length]?.interruptUnsafe()
    }
  })

  for (const step of program.steps) {
    yield* act(step)
    check()
  }
  yield* gate.open
  yield* storage.open
  callers.push(yield* now(top.stop()))
  yield* TestClock.adjust("1 hour")
  check()
  // Everybody who asked has heard something.
  for (const caller of callers) assert.isDefined(caller.pollUnsafe())
})
