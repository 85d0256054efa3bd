/** What servers that are started alike share, and what an option of one of them keeps apart. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { DynamicSupervisor, GenServer, StateContainer, Supervisor } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import type { ServerSpec } from "../../../../src/layers/server/parts/ServerSpec.ts"

class One extends GenServer.Service<One>()("test/One", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: { Get: GenServer.call({ reply: Schema.Int }) }
}) {}
class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}
class Other extends DynamicSupervisor.Service<Other>()("test/Other") {}

const behavior = One.behavior({ init: { n: 1 }, handlers: { Get: (state) => [state.n, state] } })

const App = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(One),
  Pool.layer(),
  Other.layer()
])

type RunOptions = GenServer.Options

let servers = 0

/** Starts two servers, and answers what each of them is made of. */
const started = Effect.fnUntraced(function*(first: RunOptions, second: RunOptions) {
  const pool = yield* Pool
  const start = (options: RunOptions) =>
    Effect.map(
      pool.startChild(One.recipe(behavior, { ...options, key: String(++servers) })),
      (ref) => serverOf(ref)!.spec
    )
  return [yield* start(first), yield* start(second)] as const
})

const options: ReadonlyArray<readonly [RunOptions, (spec: ServerSpec) => unknown, usual: unknown, own: unknown]> = [
  [{ mailbox: { capacity: 7 } }, (spec) => spec.capacity, Infinity, 7],
  [{ quarantine: { capacity: 7 } }, (spec) => spec.quarantine.capacity, 256, 7],
  [{ isolation: "copy" }, (spec) => spec.copy !== undefined, false, true],
  [{ initTimeout: "7 seconds" }, (spec) => spec.initTimeout, Infinity, 7000],
  [{ passivate: { after: "7 seconds" } }, (spec) => spec.passivation?.after, undefined, 7000],
  [{ restart: "temporary" }, () => undefined, undefined, undefined],
  [{ shutdown: "7 seconds" }, (spec) => spec.shutdown, 5000, 7000]
]

describe("servers of one behaviour", () => {
  it.effect("share what is made of the class, the behaviour and the options, if those are the same", () =>
    Effect.gen(function*() {
      const [first, second] = yield* started({}, {})
      assert.strictEqual(first, second)
    }).pipe(Effect.provide(App)))

  it.effect.each(options)(
    "have each their own where an option differs: %o",
    ([one, see, usual, own]) =>
      Effect.gen(function*() {
        const [first, second] = yield* started(one, {})
        assert.notStrictEqual(first, second)
        assert.deepStrictEqual([see(first), see(second)], [own, usual])
        const alike = yield* started(one, { ...one })
        assert.strictEqual(alike[0], alike[1])
        const [, other] = yield* started({}, one)
        assert.strictEqual(see(other), own)
      }).pipe(Effect.provide(App))
  )

  it("have the same child options, unless one is given", () => {
    const of = (options: RunOptions) => One.recipe(behavior, { key: "a", ...options }).options
    assert.strictEqual(of({}), One.recipe({ ...behavior }, { key: "b", initTimeout: 1 }).options)
    for (
      const given of [
        { needs: ["db"] },
        { restart: "transient" },
        { shutdown: "1 second" },
        { significant: true }
      ] as const
    ) assert.deepInclude(of(given), given)
  })

  it.effect("have each their own under another supervisor, and under another id", () =>
    Effect.gen(function*() {
      const [first] = yield* started({}, {})
      const other = yield* Effect.flatMap(Other, (other) => other.startChild(One.recipe(behavior, { key: "c" })))
      assert.notStrictEqual(serverOf(other)!.spec, first)
      assert.deepStrictEqual(serverOf(other)!.path, ["Supervisor", "test/Other", "test/One/c"])
    }).pipe(Effect.provide(App)))
})
