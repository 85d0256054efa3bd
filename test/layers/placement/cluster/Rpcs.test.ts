/** What an entity understands of its class, and under which supervisor its server is: with no cluster around them. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { ClusterSchema, RunnerStorage } from "effect/cluster"
import type { Rpc } from "effect/rpc"
import { ClusterServer } from "../../../../src/cluster.ts"
import { GenServer, StateContainer } from "../../../../src/index.ts"
import { apart } from "../../../../src/layers/placement/cluster/Apart.ts"
import { entityOf, Wake } from "../../../../src/layers/placement/cluster/Rpcs.ts"
import type { Supervisor } from "../../../../src/layers/supervision/Supervisor.ts"

class Till extends GenServer.Service<Till>()("test/rpcs/Till", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Reset: GenServer.cast(),
    Ring: GenServer.cast({ internal: true })
  }
}) {}

const requests = (entity: { readonly protocol: { readonly requests: ReadonlyMap<string, unknown> } }) =>
  entity.protocol.requests as ReadonlyMap<string, Rpc.AnyWithProps>

describe("the entity of a class", () => {
  it("has the messages that any code may send, and where it is the runner's own, what wakes it", () => {
    const tags = ["Add", "Get", "Reset"]
    assert.deepStrictEqual([...requests(ClusterServer.entity(Till)).keys()], tags)
    assert.deepStrictEqual([...requests(entityOf(Till, {}, false)).keys()], tags)
    assert.deepStrictEqual([...requests(entityOf(Till, {}, true)).keys()], [...tags, Wake._tag])
    assert.strictEqual<string>(entityOf(Till, {}, false).type, Till.key)
  })

  it("stores the calls that are said to be, under their key, which is then asked for, and no other", () => {
    const rpcs = requests(entityOf(Till, { persisted: ["Add"] }, false))
    const isStored = (tag: string) => Context.get(rpcs.get(tag)!.annotations, ClusterSchema.Persisted)
    assert.deepStrictEqual(["Add", "Get", "Reset"].map(isStored), [true, false, false])
    const decode = (tag: string, payload: unknown) =>
      Exit.isSuccess(Schema.decodeUnknownExit(rpcs.get(tag)!.payloadSchema as Schema.Codec<unknown>)(payload))
    assert.isTrue(decode("Add", { payload: { by: 1 }, key: "one" }))
    assert.isFalse(decode("Add", { payload: { by: 1 } }))
    assert.isTrue(decode("Get", { payload: {} }))
    const plain = requests(entityOf(Till, {}, false)).get("Add")!.payloadSchema as Schema.Codec<unknown>
    assert.isTrue(Exit.isSuccess(Schema.decodeUnknownExit(plain)({ payload: { by: 1 } })))
    assert.isFalse(Exit.isSuccess(Schema.decodeUnknownExit(plain)({ payload: { by: "x" } })))
    const reply = rpcs.get("Add")!.successSchema as Schema.Codec<unknown>
    assert.isTrue(Exit.isSuccess(Schema.decodeUnknownExit(reply)(5)))
    assert.isFalse(Exit.isSuccess(Schema.decodeUnknownExit(reply)("five")))
  })

  it("is the same one each time, for the same calls in whatever order", () => {
    const one = entityOf(Till, { persisted: ["Add", "Get"] }, false)
    assert.strictEqual(entityOf(Till, { persisted: ["Get", "Add"] }, false), one)
    assert.notStrictEqual(entityOf(Till, { persisted: ["Get"] }, false), one)
    assert.notStrictEqual(entityOf(Till, { persisted: ["Get", "Add"] }, true), one)
    assert.strictEqual(ClusterServer.entity(Till) as unknown, entityOf(Till, {}, false) as unknown)
  })
})

describe("a supervisor that gives each child one of its own", () => {
  it.effect("is for the child alone: it ends with it, and is known before that is up", () =>
    Effect.gen(function*() {
      const asked: Array<any> = []
      const above = {
        path: "above",
        restartChild: (id: string) => Effect.sync(() => [asked.push(id), "again"][1]),
        startChild: (recipe: unknown) => Effect.sync(() => void asked.push(recipe))
      } as unknown as Supervisor
      const { path, restartChild, startChild } = apart({ above, restart: undefined, made: () => {} })
      assert.strictEqual<unknown>(path, "above")
      assert.strictEqual<unknown>(yield* restartChild("a"), "again")
      const recipe: any = { id: "a", options: { shutdown: 7 }, make: () => ({ ref: "the child" }) }
      yield* startChild(recipe)
      assert.strictEqual(asked[0], "a")
      assert.deepInclude(asked[1], { id: "a" })
      assert.strictEqual(asked[1].options.restart, "temporary")
    }) as Effect.Effect<void>)
})

describe("which runner this is", () => {
  const storage = (getRunners: Effect.Effect<unknown, unknown>) =>
    Layer.succeed(RunnerStorage.RunnerStorage, { getRunners } as never)
  const at = (host: string, isWell: boolean) => [{ address: { host, port: 1 } }, isWell]
  const said = (getRunners: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function*() {
      return yield* yield* ClusterServer.about("a:1")
    }).pipe(Effect.provide(storage(getRunners)))

  it.effect("is said with the others in order, and which of them are not well", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* said(Effect.succeed([at("a", true)])), "Runner a:1, the only one")
      assert.strictEqual(
        yield* said(Effect.succeed([at("c", true), at("a", false), at("b", false)])),
        "Runner a:1, beside b:1 (not well), c:1"
      )
      assert.strictEqual(
        yield* said(Effect.fail("gone")),
        "Runner a:1; which others there are is not known: the database does not answer"
      )
    }))
})

describe("companions whose states may be lost", () => {
  it("are the same, and are said to be enough", () => {
    const companions = StateContainer.layerMemory(Till)
    assert.strictEqual<unknown>(ClusterServer.volatile<Till>()(companions), companions)
  })
})
