import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, References, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { Serve } from "../../../../src/serve.ts"
import { noText, withBytes } from "../../../kit/serve/Bodies.ts"
import { messages, Overdrawn } from "../../../kit/serve/messages.ts"
import { Served } from "../../../kit/serve/Served.ts"
import { keyedRpcs, oneRpcs } from "../../../kit/serve/Web.ts"

/** Both ways to a group, as effect's own clients go them. */
const ways = {
  HTTP: (url: string) =>
    RpcClient.layerProtocolHttp({ url: `${url}/rpc` }).pipe(
      Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson])
    ),
  WebSocket: (url: string) =>
    RpcClient.layerProtocolSocket().pipe(Layer.provide([
      Socket.layerWebSocket(`${url.replace("http", "ws")}/ws`).pipe(
        Layer.provide(Socket.layerWebSocketConstructorGlobal)
      ),
      RpcSerialization.layerNdjson
    ]))
}

const notText = "400 This is not UTF-8."

const quiet = Layer.succeed(References.MinimumLogLevel, "None" as const)

/** Sends texts and bytes over a socket as they are, and collects what is answered. */
const talk = (url: string, frames: ReadonlyArray<string | Uint8Array<ArrayBuffer>>, answers: number) =>
  Effect.promise(() =>
    new Promise<ReadonlyArray<any>>((resolve, reject) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/ws`)
      const got: Array<any> = []
      socket.addEventListener("open", () => frames.forEach((frame) => socket.send(frame)))
      socket.addEventListener("error", () => reject(new Error("the socket failed")))
      socket.addEventListener("close", () => resolve(got))
      socket.addEventListener("message", ({ data }) => {
        got.push(...String(data).trim().split("\n").map((line) => JSON.parse(line)))
        if (got.length >= answers) socket.close()
      })
    })
  )

describe("a group", () => {
  layer(Served.layer().pipe(Layer.provide(quiet)), { excludeTestServices: true })((it) => {
    for (const [name, protocol] of Object.entries(ways)) {
      it.effect(`over ${name}: replies, casts, errors of messages, and crashes without what crashed`, () =>
        Effect.gen(function*() {
          const { handled, url } = yield* Served
          const context = yield* Layer.build(protocol(url))
          const account = yield* RpcClient.make(oneRpcs).pipe(Effect.provideContext(context))
          const before = yield* account.Balance({})
          assert.strictEqual(yield* account.Deposit({ amount: 5 }), before + 5)
          assert.isUndefined(yield* account.Note({ text: "hello" }))
          const overdrawn = yield* Effect.flip(account.Withdraw({ amount: 1_000_000 }))
          assert.instanceOf(overdrawn, Overdrawn)
          const crashed = yield* Effect.flip(account.Crash({}))
          assert.instanceOf(crashed, Serve.Unanswered)
          assert.deepStrictEqual({ ...crashed }, {
            _tag: "Unanswered",
            request: "Crash",
            reason: "Crashed",
            again: false
          })
          handled.take()
          const headers = { "idempotency-key": `k-${name}` }
          const first = yield* account.Deposit({ amount: 5 }, { headers })
          assert.strictEqual(yield* account.Deposit({ amount: 5 }, { headers }), first)
          assert.lengthOf(handled.take(), 1)
          const reused = yield* Effect.flip(account.Deposit({ amount: 6 }, { headers }))
          assert.deepInclude({ ...reused }, { reason: "KeyReused", again: false })
        }).pipe(Effect.scoped))
    }

    it.effect("over a WebSocket answers every frame that is wrong for itself, and goes on", () =>
      Effect.gen(function*() {
        const { handled, url } = yield* Served
        handled.take()
        const request = (id: string, tag: string, payload: unknown) =>
          JSON.stringify({ _tag: "Request", id, tag, payload, headers: [] })
        const frames = [
          "{\"_tag\":",
          "[1,2,3]",
          "",
          "[".repeat(100),
          "x".repeat(70_000),
          request("1", "Tick", {}),
          request("2", "__proto__", {}),
          request("3", "Deposit", { amount: "sesame" }),
          request("4", "Deposit", { amount: 1, more: "sesame" }),
          request("5", "Deposit", { amount: 5 })
        ]
        const answers = yield* talk(url, frames, frames.length)
        const status = (one: any): unknown =>
          one._tag === "Defect" ? one.defect.status : one.exit._tag === "Success" ? 200 : one.exit.cause[0].error.status
        assert.deepStrictEqual(answers.map(status), [400, 400, 400, 400, 413, 404, 404, 400, 400, 200])
        assert.deepStrictEqual(answers.slice(5).map(({ requestId }) => requestId), ["1", "2", "3", "4", "5"])
        assert.notInclude(JSON.stringify(answers), "sesame")
        assert.deepStrictEqual(handled.take(), [["Deposit", { amount: 5 }]])
      }))

    it.effect("over a WebSocket says of a frame what it is not, or has not", () =>
      Effect.gen(function*() {
        const { handled, url } = yield* Served
        handled.take()
        const request = { _tag: "Request", id: "1", tag: "Balance", payload: {}, headers: [] }
        const table: ReadonlyArray<readonly [unknown, string]> = [
          [5, "A message is an object."],
          [null, "A message is an object."],
          [{ ...request, id: undefined }, "A request has an id."],
          [{ ...request, id: true }, "A request has an id."],
          [{ ...request, tag: 5 }, "A request has a tag."],
          [{ ...request, headers: "x" }, "Headers are pairs of texts."],
          [{ ...request, headers: [5] }, "Headers are pairs of texts."],
          [{ ...request, headers: ["ab"] }, "Headers are pairs of texts."],
          [{ ...request, headers: [["a"]] }, "Headers are pairs of texts."],
          [{ ...request, headers: [["a", "b", "c"]] }, "Headers are pairs of texts."],
          [{ ...request, headers: [["a", "b"], ["a", 5]] }, "Headers are pairs of texts."],
          [{ _tag: "Ack" }, "This names no request."],
          [{ _tag: "Interrupt", requestId: {} }, "This names no request."],
          [{ _tag: "Else" }, "This is no message of the protocol."],
          [{}, "This is no message of the protocol."]
        ]
        const texts = [
          ["{", "This is not JSON."],
          ["[".repeat(33) + "]".repeat(33), "The JSON is nested deeper than 32."],
          [`"${"x".repeat(65_535)}"`, "A frame has 65536 bytes at most."]
        ] as const
        const frames = [...table.map(([frame]) => JSON.stringify(frame)), ...texts.map(([text]) => text)]
        const answers = yield* talk(url, frames, frames.length)
        assert.deepStrictEqual(
          answers.map(({ defect }) => defect.detail),
          [...table, ...texts].map(([, detail]) => detail)
        )
        // What needs none has no id, and no headers: one of these is answered.
        const fine = [
          { _tag: "Request", isNotification: true, tag: "Note", payload: { text: "a" } },
          { _tag: "Request", id: 7, tag: "Note", payload: { text: "b" }, headers: [["a", "b"]] }
        ]
        const [answer] = yield* talk(url, fine.map((one) => JSON.stringify(one)), 1)
        assert.deepInclude(answer, { _tag: "Exit" })
        assert.strictEqual(String(answer.requestId), "7")
        assert.deepStrictEqual(handled.take(), [["Note", { text: "a" }], ["Note", { text: "b" }]])
      }))

    it.effect("over a WebSocket refuses bytes that are not UTF-8, and goes on", () =>
      Effect.gen(function*() {
        const { handled, url } = yield* Served
        handled.take()
        const request = (id: string) =>
          `{"_tag":"Request","id":"${id}","tag":"Note","payload":{"text":"?"},"headers":[]}`
        const frames = [...noText.map((bytes) => withBytes(request("1"), bytes)), withBytes(request("2"), [0xc3, 0xbc])]
        const answers = yield* talk(url, frames, frames.length)
        assert.deepStrictEqual(answers.map(({ _tag }) => _tag), [...noText.map(() => "Defect"), "Exit"])
        assert.isTrue(answers.slice(0, -1).every(({ defect: { detail, status } }) => `${status} ${detail}` === notText))
        assert.deepStrictEqual(handled.take(), [["Note", { text: "ü" }]])
      }))

    it.effect("over a WebSocket takes no second request of an id that is in use, and goes on", () =>
      Effect.gen(function*() {
        const { url } = yield* Served
        const hang = JSON.stringify({ _tag: "Request", id: "1", tag: "Hang", payload: {}, headers: [] })
        const ping = JSON.stringify({ _tag: "Ping" })
        const answers = yield* talk(url, [hang, hang, ping], 3)
        assert.deepStrictEqual(answers.map(({ _tag }) => _tag).sort(), ["Defect", "Exit", "Pong"])
      }))

    it.effect("over a WebSocket breaks off a request that is interrupted by its id", () =>
      Effect.gen(function*() {
        const { url } = yield* Served
        const frames = [
          { _tag: "Request", id: "5", tag: "Hang", payload: {}, headers: [] },
          { _tag: "Interrupt", requestId: "5" },
          { _tag: "Ping" }
        ]
        const answers = yield* talk(url, frames.map((frame) => JSON.stringify(frame)), 2)
        assert.deepStrictEqual(answers.map(({ _tag }) => _tag).sort(), ["Exit", "Pong"])
        assert.strictEqual(answers.find(({ _tag }) => _tag === "Exit").exit.cause[0]._tag, "Interrupt")
      }))

    it.effect("on a path for WebSockets answers a request that is none", () =>
      Effect.gen(function*() {
        const { url } = yield* Served
        const answer = yield* Effect.promise(() => fetch(`${url}/ws`))
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
        assert.include(yield* Effect.promise(() => answer.json()), { detail: "This takes a WebSocket." })
        const posted = yield* Effect.promise(() => fetch(`${url}/ws`, { method: "POST" }))
        assert.deepStrictEqual([posted.status, posted.headers.get("allow")], [405, "GET"])
        assert.include(yield* Effect.promise(() => posted.json()), { detail: "This takes GET." })
      }))

    it.effect("by key sends each message to the server of its key", () =>
      Effect.gen(function*() {
        const { url } = yield* Served
        const context = yield* Layer.build(
          RpcClient.layerProtocolHttp({ url: `${url}/keyed` }).pipe(
            Layer.provide([FetchHttpClient.layer, RpcSerialization.layerJson])
          )
        )
        const accounts = yield* RpcClient.make(keyedRpcs).pipe(Effect.provideContext(context))
        yield* accounts.Deposit({ key: "ann", payload: { amount: 5 } })
        yield* accounts.Deposit({ key: "bob", payload: { amount: 7 } })
        assert.strictEqual(yield* accounts.Balance({ key: "ann", payload: {} }), 5)
      }).pipe(Effect.scoped))
  })

  it("is the same of a class and of its messages, and has no internal ones", () => {
    const group = Serve.group({ messages })
    assert.deepStrictEqual([...group.requests.keys()], [...oneRpcs.requests.keys()])
    assert.notInclude([...group.requests.keys()], "Tick")
  })

  it("refuses messages that differ in upper and lower case alone, and those that are no part of a path", () => {
    const of = { messages: { Add: messages.Balance, add: messages.Balance } }
    assert.throws(() => Serve.api(of, { name: "a" }), /the name of a message/)
    assert.throws(() => Serve.api({ messages: { "a/b": messages.Balance } }, { name: "a" }), /the name of a message/)
  })

  it("takes a schema of keys", () => {
    const group = Serve.group({ messages }, { keyed: Schema.String.check(Schema.isPattern(/^k\d+$/)) })
    const { payloadSchema } = group.requests.get("Balance")!
    assert.isTrue(Schema.is(payloadSchema)({ key: "k1", payload: {} }))
    assert.isFalse(Schema.is(payloadSchema)({ key: "x", payload: {} }))
  })
})
