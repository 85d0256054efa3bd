/**
 * A server whose handlers answer in every style, called on every path: so that one promise is tested on all of them.
 */
import { type Context, Effect, type Exit, Fiber, Latch, Layer, Schema } from "effect"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../src/index.ts"
import * as Turn from "../../src/layers/process/Turn.ts"
import { Harness } from "../../src/testing.ts"
import { now } from "./Fibers.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Int }) {}

export class Cell extends GenServer.Service<Cell>()("test/Cell", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Refuse: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused }),
    Die: GenServer.call(),
    Interrupt: GenServer.call(),
    Invalid: GenServer.call(),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    DieUnasked: GenServer.cast(),
    /** Adds, when the gate is open. */
    Hold: GenServer.call({
      payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(0))) },
      timeout: "infinity"
    }),
    /** Is answered later, if ever. */
    Later: GenServer.call({ reply: Schema.Int, timeout: "infinity" })
  }
}) {}

export type Cells = typeof Cell.Service

/** How a handler answers: with a value, with an Effect that is done at once, with one that waits for a turn. */
export const styles = ["a plain handler", "an effectful handler", "a handler that waits"] as const
export type Style = typeof styles[number]

/** How a call gets to the server: at once, through the mailbox, from a deep stack, or while the server restarts. */
export const paths = ["idle", "busy", "deep", "restarting"] as const
export type Path = typeof paths[number]

/** Every path with every style. */
export const everyWay: ReadonlyArray<readonly [Path, Style]> = paths.flatMap((path) =>
  styles.map((style) => [path, style] as const)
)

export interface Gates {
  /** What `Hold` waits for; open unless a test closes it. */
  readonly hold: Latch.Latch
  /** What `init` and `restore` wait for. */
  readonly boot: Latch.Latch
}

export const gates = (): Gates => ({ hold: Latch.makeUnsafe(true), boot: Latch.makeUnsafe(true) })

// What no handler may return: the type checker knows it, the engine has to.
const invalid = undefined as unknown as readonly [undefined, number]

const common = ({ boot, hold }: Gates) => ({
  init: Effect.as(boot.await, 0),
  restore: (state: number) => Effect.as(boot.await, state),
  hold: (state: number, { by }: { readonly by: number }) => Effect.as(hold.await, [undefined, state + by] as const),
  later: (state: number) => Next.noReply(state)
})

const boom = (): never => {
  throw new Error("boom")
}

const plain = (own: Gates, server: GenServer.Options) => {
  const { hold, init, later, restore } = common(own)
  return Cell.layer({
    init,
    restore,
    handlers: {
      Add: (state, { by }) => [state + by, state + by],
      Get: (state) => [state, state],
      Refuse: (_state, { by }) => Effect.fail(new Refused({ by })),
      Die: boom,
      Interrupt: () => Effect.interrupt,
      Invalid: () => invalid,
      Put: (_state, { to }) => to,
      DieUnasked: boom,
      Hold: hold,
      Later: later
    }
  }, server)
}

const effectful = (own: Gates, server: GenServer.Options) => {
  const { hold, init, later, restore } = common(own)
  return Cell.layer({
    init,
    restore,
    handlers: {
      Add: (state, { by }) => Effect.sync(() => [state + by, state + by] as const),
      Get: Effect.fnUntraced(function*(state: number) {
        return [state, state] as const
      }),
      Refuse: Effect.fnUntraced(function*(_state: number, { by }: { readonly by: number }) {
        return yield* new Refused({ by })
      }),
      Die: () => Effect.sync(boom),
      Interrupt: () => Effect.andThen(Effect.void, Effect.interrupt),
      Invalid: () => Effect.sync(() => invalid),
      Put: (_state, { to }) => Effect.sync(() => to),
      DieUnasked: () => Effect.die(new Error("boom")),
      Hold: hold,
      Later: later
    }
  }, server)
}

const waiting = (own: Gates, server: GenServer.Options) => {
  const { hold, init, later, restore } = common(own)
  return Cell.layer({
    init,
    restore,
    handlers: {
      Add: (state, { by }) => Effect.as(Effect.yieldNow, [state + by, state + by] as const),
      Get: (state) => Effect.as(Effect.yieldNow, [state, state] as const),
      Refuse: (_state, { by }) => Effect.andThen(Effect.yieldNow, Effect.fail(new Refused({ by }))),
      Die: () => Effect.andThen(Effect.yieldNow, Effect.sync(boom)),
      Interrupt: () => Effect.andThen(Effect.yieldNow, Effect.interrupt),
      Invalid: () => Effect.as(Effect.yieldNow, invalid),
      Put: (_state, { to }) => Effect.as(Effect.yieldNow, to),
      DieUnasked: () => Effect.andThen(Effect.yieldNow, Effect.sync(boom)),
      Hold: hold,
      Later: later
    }
  }, server)
}

/** The layer of a cell in one style. */
export const layerOf = (style: Style, own: Gates, server: GenServer.Options = {}) => {
  switch (style) {
    case "a plain handler":
      return plain(own, server)
    case "an effectful handler":
      return effectful(own, server)
    case "a handler that waits":
      return waiting(own, server)
  }
}

/** The supervisor of a cell. */
export class Top extends Supervisor.Service<Top>()("test/Top") {}

/** A supervisor over the companions and the cell. */
export const branch = (
  style: Style,
  own: Gates,
  server?: GenServer.Options,
  supervisor: Partial<Supervisor.Options> = {}
) =>
  Top.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerMemory(Cell),
    layerOf(style, own, server)
  ])

/** The same, watched by a harness. */
export const tree = (
  style: Style,
  own: Gates,
  server?: GenServer.Options,
  supervisor?: Partial<Supervisor.Options>
) => Layer.provideMerge(branch(style, own, server, supervisor), Harness.Harness.layer)

/** Runs a call on a path, and answers with how it ended. */
export const along = <A, E, R>(
  path: Path,
  cell: Process.HasProcess & { readonly Hold: () => Effect.Effect<unknown, unknown> },
  { boot, hold }: Gates,
  call: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E>, never, R> => {
  switch (path) {
    case "idle":
      return Effect.exit(call)
    case "busy":
      return Effect.gen(function*() {
        yield* hold.close
        const held = yield* now(cell.Hold())
        const caller = yield* now(call)
        yield* hold.open
        yield* Fiber.join(held)
        return yield* Fiber.await(caller)
      }).pipe(Effect.orDie)
    case "restarting":
      return Effect.gen(function*() {
        yield* boot.close
        yield* Process.kill(cell)
        const caller = yield* now(call)
        yield* boot.open
        return yield* Fiber.await(caller)
      })
    case "deep":
      return Effect.contextWith((context: Context.Context<R>) =>
        Effect.suspend(() => {
          for (let i = 0; i < Turn.maxDepth; i++) Turn.enter()
          const caller = Effect.runForkWith(context)(call)
          for (let i = 0; i < Turn.maxDepth; i++) Turn.leave()
          return Fiber.await(caller)
        })
      )
  }
}
