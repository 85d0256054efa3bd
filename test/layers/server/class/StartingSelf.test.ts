/**
 * Servers that are started in the name of others, and ask for them in turn: who would wait for itself hears so at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { now, turns } from "../../../kit/Fibers.ts"

class Node extends GenServer.Service<Node>()("test/Node", {
  state: Schema.String,
  messages: {
    Do: GenServer.call({ reply: Schema.String, timeout: "infinity" }),
    Ping: GenServer.call({ reply: Schema.String }),
    Die: GenServer.call(),
    Leave: GenServer.call()
  }
}) {}

class Nodes extends DynamicSupervisor.Service<Nodes>()("nodes") {}
class Top extends Supervisor.Service<Top>()("top") {}

type Services = GenServer.Keyed<Node> | StateContainer.StateOf<Node> | Nodes | Top
type Deed = Effect.Effect<string, never, Services>

/** What servers do, by key: in init, when they are restored, in the handler of Do, in their clean-up. */
class Script {
  init: Record<string, Deed> = {}
  restore: Record<string, Deed> = {}
  work: Record<string, Deed> = {}
  terminate: Record<string, Deed> = {}
}

const behavior = (script: Script, run: (deed: Deed) => Effect.Effect<string>) => (key: string) => {
  const doing = (deeds: Record<string, Deed>) => Effect.suspend(() => run(deeds[key] ?? Effect.succeed("up")))
  return Node.behavior({
    init: Effect.suspend(() => doing(script.init)),
    restore: () => doing(script.restore),
    handlers: {
      Do: (state) => Effect.map(doing(script.work), (answer) => [answer, state] as const),
      Ping: (state) => [state, state],
      Die: () => Effect.die("boom"),
      Leave: (state) => Next.stop("normal", { reply: undefined, state })
    },
    terminate: () => Effect.asVoid(doing(script.terminate))
  })
}

/** Gives a deed the services of an app, beside those of the server that does it. */
const reaching = (app: Context.Context<Services>) => (deed: Deed): Effect.Effect<string> =>
  Effect.updateContext(deed, (own: Context.Context<never>) => Context.merge(app, own))

/** A tree whose servers reach all of it, as handlers of an app do through its services. */
const within = (script: Script, body: Effect.Effect<void, unknown, Services>): Effect.Effect<void, unknown> => {
  let run: ReturnType<typeof reaching> | undefined
  const App = Top.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Node),
    Nodes.layer(),
    Layer.provide(
      Node.layerKeyed(behavior(script, (deed) => run!(deed)), { passivate: { after: "1 hour", by: "stop" } }),
      Nodes.asSupervisor
    )
  ])
  return Effect.contextWith((app: Context.Context<Services>) => {
    run = reaching(app)
    return body
  }).pipe(Effect.provide(App), Effect.provideService(References.MinimumLogLevel, "None"))
}

/** Why there was no answer, with the way it took. */
const seen = <A, R>(
  effect: Effect.Effect<A, { readonly reason: { readonly _tag: string; readonly chain?: ReadonlyArray<string> } }, R>
): Effect.Effect<string, never, R> =>
  Effect.match(effect, {
    onSuccess: (answer) => typeof answer === "string" ? answer : "up",
    onFailure: ({ reason }) =>
      reason._tag === "CallingSelf"
        ? `CallingSelf ${reason.chain?.map((name) => name.slice(name.lastIndexOf("/") + 1)).join(" ")}`
        : reason._tag
  })

const at = (key: string) => seen(Node.at(key))
const ping = (key: string) => seen(Effect.flatMap(Node.at(key), (node) => node.Ping()))
const viaPing = (key: string) => seen(Effect.flatMap(Node.via(key), (node) => node.Ping()))

const ask = (key: string) => Effect.flatMap(Node.at(key), (node) => node.Ping())
const work = (key: string) => Effect.flatMap(Node.at(key), (node) => node.Do())

describe("a start that would wait for itself fails at once, with the way it took", () => {
  it.effect("two inits that ask for each other by at", () => {
    const script = new Script()
    script.init["a"] = at("b")
    script.init["b"] = at("a")
    return within(
      script,
      Effect.gen(function*() {
        assert.strictEqual(yield* ask("a"), "up")
        assert.strictEqual(yield* ask("b"), "CallingSelf a b a")
      })
    )
  })

  it.effect("an init that fails with it fails the start, and says so", () => {
    const script = new Script()
    script.init["a"] = Effect.orDie(Effect.as(Node.at("b"), "up"))
    script.init["b"] = Effect.orDie(Effect.as(Node.at("a"), "up"))
    return within(
      script,
      Effect.gen(function*() {
        const error = yield* Effect.flip(Node.at("a"))
        assert.include(error.message, "the start would wait for itself")
        script.init = {}
        assert.strictEqual(yield* ask("a"), "up")
        assert.strictEqual(yield* ask("b"), "up")
      })
    )
  })

  for (const [how, back] of [["at", ping], ["via", viaPing]] as const) {
    it.effect(`a handler that starts a server whose init calls back (${how})`, () => {
      const script = new Script()
      script.work["a"] = at("b")
      script.init["b"] = back("a")
      return within(
        script,
        Effect.gen(function*() {
          assert.strictEqual(yield* work("a"), "up")
          assert.strictEqual(yield* ask("b"), "CallingSelf a b a")
        })
      )
    })
  }

  it.effect("a handler that sends by via to a key whose init calls back", () => {
    const script = new Script()
    script.work["a"] = viaPing("b")
    script.init["b"] = viaPing("a")
    return within(
      script,
      Effect.gen(function*() {
        assert.strictEqual(yield* work("a"), "CallingSelf a b a")
      })
    )
  })

  it.effect("by way of handlers and inits, in any order", () => {
    const script = new Script()
    script.work["a"] = seen(work("b"))
    script.work["b"] = ping("c")
    script.init["c"] = seen(work("d"))
    script.work["d"] = at("e")
    script.init["e"] = ping("a")
    return within(
      script,
      Effect.gen(function*() {
        assert.strictEqual(yield* work("a"), "up")
        assert.strictEqual(yield* ask("e"), "CallingSelf a b c d e a")
      })
    )
  })

  it.effect("a handler below an init that another handler waits for", () => {
    const script = new Script()
    const heard: Array<string> = []
    script.work["a"] = at("c")
    script.init["c"] = seen(work("d"))
    script.work["d"] = Effect.tap(ping("a"), (answer) => Effect.sync(() => heard.push(answer)))
    return within(
      script,
      Effect.gen(function*() {
        assert.strictEqual(yield* work("a"), "up")
        assert.deepStrictEqual(heard, ["CallingSelf a c d a"])
      })
    )
  })

  it.effect("a message to the server that had the key before, which would start it", () => {
    const script = new Script()
    return within(
      script,
      Effect.gen(function*() {
        const before = yield* Node.at("b")
        yield* before.Ping()
        yield* TestClock.adjust("1 hour")
        script.restore["b"] = seen(work("a"))
        script.work["a"] = seen(before.Ping())
        assert.strictEqual(yield* ask("b"), "CallingSelf b a b")
      })
    )
  })

  it.effect("whoever else has waited for it, and has given up", () => {
    const script = new Script()
    const gate = Deferred.makeUnsafe<void>()
    script.init["b"] = Effect.andThen(Deferred.await(gate), ping("a"))
    script.work["a"] = at("b")
    script.work["c"] = at("b")
    script.work["d"] = at("b")
    return within(
      script,
      Effect.gen(function*() {
        const others = yield* Effect.forEach(["c", "d"], (key) => now(seen(work(key))))
        const one = yield* now(work("a"))
        for (const key of ["c", "d"]) yield* Process.kill(yield* Node.at(key))
        assert.deepStrictEqual(yield* Effect.forEach(others, Fiber.join), ["Crashed", "Crashed"])
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(one), "up")
        assert.strictEqual(yield* ask("b"), "CallingSelf a b a")
      })
    )
  })

  for (const length of [1, 2, 3, 10, 1000]) {
    it.effect(`a ring of ${length} inits`, () => {
      const script = new Script()
      for (let i = 0; i < length; i++) script.init[String(i)] = at(String((i + 1) % length))
      return within(
        script,
        Effect.gen(function*() {
          assert.strictEqual(yield* ask("0"), "up")
          const last = yield* ask(String(length - 1))
          const way = [...Array(length).keys(), 0].join(" ")
          // Its own key is no other server: it has itself.
          assert.strictEqual(last, length === 1 ? "up" : `CallingSelf ${way}`)
        })
      )
    })
  }

  it.effect("whichever asked first: others that wait for the same start are in no way of it", () => {
    const script = new Script()
    const gate = Deferred.makeUnsafe<void>()
    script.init["b"] = Effect.andThen(Deferred.await(gate), ping("a"))
    script.work["a"] = at("b")
    script.work["c"] = at("b")
    return within(
      script,
      Effect.gen(function*() {
        const outside = yield* now(ask("b"))
        const other = yield* now(work("c"))
        const one = yield* now(work("a"))
        yield* turns
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(
          [yield* Fiber.join(one), yield* Fiber.join(other), yield* Fiber.join(outside)],
          ["up", "up", "CallingSelf a b a"]
        )
      })
    )
  })

  const recipe = (script: Script, app: Context.Context<Services>) =>
    Node.recipe(behavior(script, reaching(app)), { key: "b" })
  type Recipe = ReturnType<typeof recipe>
  const started = (start: (recipe: Recipe) => Deed) => (script: Script): Deed =>
    Effect.contextWith((app: Context.Context<Services>) => start(recipe(script, app)))
  const starts: Record<string, (script: Script) => Deed> = {
    "a dynamic supervisor": started((recipe) => Effect.flatMap(Nodes, (nodes) => seen(nodes.startChild(recipe)))),
    "a static supervisor": started((recipe) => Effect.flatMap(Top, (top) => seen(top.startChild(recipe)))),
    "a supervisor that it starts": started((recipe) =>
      Effect.flatMap(
        Top,
        (top) => seen(top.startChild(Supervisor.recipe({ id: "below", strategy: "one_for_one" }, [recipe])))
      )
    )
  }
  for (const [what, start] of Object.entries(starts)) {
    it.effect(`a handler that starts a child of ${what}, whose init calls back`, () => {
      const script = new Script()
      script.work["a"] = start(script)
      script.init["b"] = ping("a")
      return within(
        script,
        Effect.gen(function*() {
          assert.strictEqual(yield* work("a"), "up")
          assert.strictEqual(yield* ask("b"), "CallingSelf a b a")
        })
      )
    })
  }

  it.effect("a call that waits for a server which begins anew, and whose init calls back", () => {
    const script = new Script()
    const gate = Deferred.makeUnsafe<void>()
    script.work["a"] = ping("b")
    return within(
      script,
      Effect.gen(function*() {
        yield* Node.at("b")
        script.init["b"] = Effect.andThen(Deferred.await(gate), ping("a"))
        yield* Effect.exit(Effect.flatMap(Node.at("b"), (node) => node.Die()))
        const asking = yield* now(work("a"))
        yield* turns
        assert.isUndefined(asking.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(asking), "CallingSelf a b a")
      })
    )
  })

  it.effect("a clean-up that calls a server which waits for the next one of its key", () => {
    const script = new Script()
    const gate = Deferred.makeUnsafe<void>()
    const heard: Array<string> = []
    script.work["a"] = at("b")
    script.terminate["b"] = Deferred.await(gate).pipe(
      Effect.andThen(ping("a")),
      Effect.tap((answer) => Effect.sync(() => heard.push(answer)))
    )
    return within(
      script,
      Effect.gen(function*() {
        const b = yield* Node.at("b")
        const leaving = yield* now(b.Leave())
        yield* turns
        const asking = yield* now(work("a"))
        yield* turns
        assert.isUndefined(asking.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(asking), "up")
        yield* Fiber.join(leaving)
        assert.deepStrictEqual(heard, ["CallingSelf a b a"])
      })
    )
  })
})

describe("a start that waits for nothing of its own is an ordinary one", () => {
  it.effect("in a fiber that a handler forked: the server does not wait for it", () => {
    const script = new Script()
    script.work["a"] = Effect.as(Effect.forkDetach(Node.at("b"), { startImmediately: true }), "forked")
    script.init["b"] = ping("a")
    return within(
      script,
      Effect.gen(function*() {
        const a = yield* Node.at("a")
        assert.strictEqual(yield* a.Do(), "forked")
        assert.strictEqual(yield* ask("b"), "up")
      })
    )
  })

  const inits: Record<string, Deed> = {
    "at once": Effect.succeed("up"),
    later: Effect.delay(Effect.succeed("up"), "1 second")
  }
  it.effect.each(Object.keys(inits))("when the one that asked has given up, or has its answer, %s", (how) => {
    const script = new Script()
    script.init["b"] = inits[how]!
    const gate = Deferred.makeUnsafe<void>()
    const held = Deferred.makeUnsafe<void>()
    script.work["a"] = Effect.andThen(at("b"), Effect.as(Deferred.await(held), "held"))
    return within(
      script,
      Effect.gen(function*() {
        const asking = yield* now(work("a"))
        yield* TestClock.adjust("1 second")
        // Its handler goes on, and waits for the start no more. The next init of the other is an ordinary caller.
        script.init["b"] = Effect.andThen(Deferred.await(gate), ping("a"))
        yield* Effect.exit(Effect.flatMap(Node.at("b"), (node) => node.Die()))
        const pinging = yield* now(ask("b"))
        yield* Deferred.succeed(gate, undefined)
        yield* turns
        assert.isUndefined(pinging.pollUnsafe())
        yield* Deferred.succeed(held, undefined)
        assert.strictEqual(yield* Fiber.join(asking), "held")
        assert.strictEqual(yield* Fiber.join(pinging), "up")
      })
    )
  })

  it.effect("below which two servers call each other: one of them gives up, and neither has called itself", () => {
    const script = new Script()
    const gate = Deferred.makeUnsafe<void>()
    const held = Deferred.makeUnsafe<void>()
    script.init["c"] = seen(work("a"))
    script.work["a"] = Effect.andThen(Deferred.await(gate), ping("b"))
    script.work["b"] = Effect.andThen(Deferred.await(held), ping("a"))
    return within(
      script,
      Effect.gen(function*() {
        const starting = yield* now(ask("c"))
        const crossing = yield* now(work("b"))
        yield* turns
        yield* Deferred.succeed(held, undefined)
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("4 seconds")
        assert.strictEqual(yield* Fiber.join(crossing), "Timeout")
        assert.strictEqual(yield* Fiber.join(starting), "up")
      })
    )
  })

  it.effect("and two that start others at the same time do not take each other for themselves", () => {
    const script = new Script()
    script.work["a"] = Effect.delay(ping("c"), "1 second")
    script.work["b"] = Effect.delay(ping("d"), "1 second")
    script.init["c"] = Effect.delay(ping("e"), "1 second")
    script.init["d"] = Effect.delay(ping("e"), "1 second")
    script.init["e"] = Effect.delay(Effect.succeed("up"), "3 seconds")
    return within(
      script,
      Effect.gen(function*() {
        const both = yield* Effect.forEach(["a", "b"], (key) => now(work(key)))
        yield* TestClock.adjust("6 seconds")
        assert.deepStrictEqual(yield* Effect.forEach(both, Fiber.join), ["up", "up"])
      })
    )
  })
})
