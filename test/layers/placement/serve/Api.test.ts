import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { encoded, noText, withBytes } from "../../../kit/serve/Bodies.ts"
import { inTime, json, layer as web, type Sent, Web } from "../../../kit/serve/Web.ts"
import { day, withJumps } from "../../../kit/WallClock.ts"

/** Sends a request, and says what came of it. */
const answer = Effect.fnUntraced(function*(path: string, sent: Sent) {
  const { status, text } = yield* (yield* Web).send(path, sent)
  return [status, text === "" ? undefined : JSON.parse(text)] as const
})

describe("an api of a server", () => {
  layer(web())((it) => {
    it.effect("answers a call with its reply, one without a reply with 204, a cast with 202", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* answer("/account/Deposit", json({ amount: 5 })), [200, 5])
        assert.deepStrictEqual(yield* answer("/account/Balance", json({})), [200, 5])
        assert.deepStrictEqual(yield* answer("/account/Grow", json({ tree: { below: [] } })), [204, undefined])
        assert.deepStrictEqual(yield* answer("/account/Note", json({ text: "" })), [202, undefined])
      }))

    it.effect("answers an error of the message with its own status, or with 422", () =>
      Effect.gen(function*() {
        const withdraw = json({ amount: 1_000_000 })
        const { send } = yield* Web
        const balance = Number((yield* send("/account/Balance", json({}))).text)
        assert.deepStrictEqual(yield* answer("/account/Withdraw", withdraw), [402, { _tag: "Overdrawn", balance }])
        yield* send("/account/Close", json({}))
        assert.deepStrictEqual(yield* answer("/account/Withdraw", withdraw), [422, { _tag: "Closed" }])
      }))

    it.effect("tells of a crash that it was one, and nothing of what crashed", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* answer("/account/Crash", json({})), [500, {
          _tag: "Unanswered",
          request: "Crash",
          reason: "Crashed",
          again: false
        }])
      }))

    it.effect("says nothing of a reply that does not fit its schema, but that it is the service's fault", () =>
      Effect.gen(function*() {
        const fault = { _tag: "Refused", status: 500, title: "Internal Server Error" }
        assert.deepStrictEqual(yield* answer("/account/Odd", json({})), [500, fault])
        const [status, { exit }] = yield* answer("/rpc", json({ _tag: "Request", id: "1", tag: "Odd", payload: {} }))
        assert.deepStrictEqual([status, exit.cause], [500, [{ _tag: "Fail", error: fault }]])
      }))

    it.effect("sends to the server of the key in the path", () =>
      Effect.gen(function*() {
        yield* answer("/accounts/ann/Deposit", json({ amount: 5 }))
        yield* answer("/accounts/__proto__/Deposit", json({ amount: 7 }))
        assert.deepStrictEqual(yield* answer("/accounts/ann/Balance", json({})), [200, 5])
        assert.deepStrictEqual(yield* answer("/accounts/%5F_proto__/Balance", json({})), [200, 7])
        assert.deepStrictEqual(yield* (yield* Web).keys, ["__proto__", "ann"])
      }))

    it.effect("handles a call with an Idempotency-Key once, and refuses that key to another call", () =>
      Effect.gen(function*() {
        const { handled } = yield* Web
        handled.take()
        const keyed = (amount: number) => json({ amount }, { "Idempotency-Key": "k1" })
        const first = yield* answer("/accounts/bob/Deposit", keyed(5))
        assert.deepStrictEqual(yield* answer("/accounts/bob/Deposit", keyed(5)), first)
        const [status, body] = yield* answer("/accounts/bob/Deposit", keyed(6))
        assert.deepStrictEqual([status, body.reason], [422, "KeyReused"])
        const long = yield* answer("/accounts/bob/Deposit", json({ amount: 5 }, { "idempotency-key": "k".repeat(257) }))
        assert.deepStrictEqual([long[0], long[1].reason], [400, "InvalidIdempotencyKey"])
        assert.deepStrictEqual(handled.take(), [["Deposit", { amount: 5 }]])
      }))

    it.effect("does not serve internal messages, nor any that there are not", () =>
      Effect.gen(function*() {
        for (
          const path of ["/account/Tick", "/account/tick", "/account/__proto__", "/account/constructor", "/account"]
        ) {
          const [status, body] = yield* answer(path, json({}))
          assert.deepStrictEqual([status, body._tag], [404, "Refused"], path)
        }
        const { headers, status } = yield* (yield* Web).send("/account/Balance", { method: "GET" })
        assert.deepStrictEqual([status, headers.get("allow")], [405, "POST"])
      }))
  })

  it.effect("says when to send a call again that had not begun in time", () =>
    Effect.gen(function*() {
      const { send } = yield* Web
      const hung = yield* inTime(send("/account/Hang", json({})))
      assert.deepStrictEqual([hung.status, hung.headers.get("retry-after")], [504, null])
      assert.isFalse(JSON.parse(hung.text).again)
      const { headers, status, text } = yield* inTime(send("/account/Balance", json({})))
      assert.deepStrictEqual([status, headers.get("retry-after"), JSON.parse(text).again], [504, "1", true])
      const request = { _tag: "Request", id: "1", tag: "Balance", payload: {} }
      const byRpc = yield* inTime(send("/rpc", json(request)))
      assert.deepStrictEqual([byRpc.status, byRpc.headers.get("retry-after")], [504, "1"])
    }).pipe(Effect.provide(web())))

  it.effect("refuses what comes too often, and says when to come again", () =>
    Effect.gen(function*() {
      const { handled, send } = yield* Web
      const from = (caller: string) => send("/account/Balance", json({}, { "x-caller": caller }))
      assert.deepStrictEqual([(yield* from("a")).status, (yield* from("a")).status], [200, 200])
      const { headers, status, text } = yield* from("a")
      assert.deepStrictEqual([status, JSON.parse(text).title], [429, "Too Many Requests"])
      assert.isAtLeast(Number(headers.get("retry-after")), 1)
      assert.strictEqual((yield* from("b")).status, 200)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* from("a")).status, 200)
      assert.lengthOf(handled.take(), 4)
    }).pipe(
      Effect.provide(
        web({ rate: { limit: 2, window: "10 seconds", caller: ({ headers }) => headers["x-caller"] ?? "" } })
      )
    ))

  for (const [how, by] of [["forward", day], ["back", -day]] as const) {
    it.effect(`counts a caller's messages by the time that passes, also when the wall clock is set ${how}`, () =>
      withJumps((jump) =>
        Effect.gen(function*() {
          const { send } = yield* Web
          const status = Effect.map(send("/account/Balance", json({})), (answer) => answer.status)
          assert.deepStrictEqual([yield* status, yield* status], [200, 429])
          yield* jump(by)
          yield* TestClock.adjust("9 seconds")
          assert.strictEqual(yield* status, 429)
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual([yield* status, yield* status], [200, 429])
          // The store in which they are counted is another one by then.
          yield* TestClock.adjust("10 minutes")
          yield* jump(-by)
          assert.deepStrictEqual([yield* status, yield* status], [200, 429])
        }).pipe(Effect.provide(web({ rate: { limit: 1, window: "10 seconds" } })))
      ))
  }

  const note = JSON.stringify({ text: "?" })
  const request = (key: string) => `{"_tag":"Request","id":"1","tag":"Note","payload":${key},"headers":[]}`
  for (
    const [path, body] of [
      ["/account/Note", note],
      ["/accounts/ann/Note", note],
      ["/rpc", request(note)],
      ["/keyed", request(`{"key":"ann","payload":${note}}`)],
      ["/keyed", request("{\"key\":\"?\",\"payload\":{\"text\":\"\"}}")]
    ] as const
  ) {
    it.effect(`refuses what is not UTF-8, and no handler has it: ${path} ${body}`, () =>
      Effect.gen(function*() {
        const { handled, keys } = yield* Web
        const { headers } = json({})
        for (const bytes of noText) {
          const [status, refused] = yield* answer(path, { headers: headers!, body: withBytes(body, bytes) })
          assert.deepStrictEqual([status, refused], [400, {
            _tag: "Refused",
            status: 400,
            title: "Bad Request",
            detail: "This is not UTF-8."
          }])
        }
        assert.deepStrictEqual([handled.take(), yield* keys], [[], []])
        const [status] = yield* answer(path, { headers: headers!, body: withBytes(body, [0xe2, 0x82, 0xac]) })
        assert.include([200, 202], status)
      }).pipe(Effect.provide(web())))

    it.effect(`refuses what was encoded on its way, or is in other letters: ${path} ${body}`, () =>
      Effect.gen(function*() {
        const { handled } = yield* Web
        for (const headers of encoded) {
          const [status, { _tag, title }] = yield* answer(path, json(body, headers))
          assert.deepStrictEqual([status, _tag, title], [415, "Refused", "Unsupported Media Type"])
        }
        assert.deepStrictEqual(handled.take(), [])
        for (
          const headers of [{ "content-encoding": "identity" }, { "content-type": "Application/JSON ; Charset=UTF-8" }]
        ) {
          assert.include([200, 202], (yield* answer(path, json(body, headers)))[0])
        }
      }).pipe(Effect.provide(web())))
  }

  it.effect("refuses a request by Rpc that comes too often, in its own failure and as the status", () =>
    Effect.gen(function*() {
      const { handled, send } = yield* Web
      const request = { _tag: "Request", id: "1", tag: "Deposit", payload: { key: "ann", payload: { amount: 1 } } }
      const ask = (body: unknown) => send("/keyed", json(body))
      assert.strictEqual((yield* ask(request)).status, 200)
      const { headers, status, text } = yield* ask(request)
      assert.deepStrictEqual([status, headers.get("retry-after")], [429, "60"])
      assert.deepInclude(JSON.parse(text)[0].exit.cause[0].error, { _tag: "Refused", status: 429, retryAfter: 60 })
      assert.lengthOf(handled.take(), 1)
    }).pipe(Effect.provide(web({ rate: { limit: 1, window: "1 minute" } }))))

  it.effect("takes a body by Rpc whole, or not at all", () =>
    Effect.gen(function*() {
      const { handled, send } = yield* Web
      const request = { _tag: "Request", id: "1", tag: "Deposit", payload: { key: "ann", payload: { amount: 1 } } }
      for (const other of [5, { _tag: "Eof" }, { _tag: "Ping" }, request]) {
        const { status, text } = yield* send("/keyed", json([request, other]))
        assert.deepStrictEqual([status, JSON.parse(text)._tag], [400, "Refused"], JSON.stringify(other))
      }
      assert.deepStrictEqual(handled.take(), [])
      const { status, text } = yield* send("/keyed", json([request, { ...request, id: "2" }]))
      assert.deepStrictEqual([status, JSON.parse(text).map((one: any) => one.exit.value)], [200, [1, 2]])
    }).pipe(Effect.provide(web())))

  it.effect("breaks off a request that takes longer than a request may", () =>
    Effect.gen(function*() {
      const { send } = yield* Web
      yield* inTime(send("/account/Hang", json({})))
      const { status, text } = yield* inTime(send("/account/Balance", json({})))
      assert.deepStrictEqual([status, JSON.parse(text)], [504, {
        _tag: "Unanswered",
        request: "Balance",
        reason: "Timeout",
        again: false
      }])
    }).pipe(Effect.provide(web({ time: "100 millis" }))))

  for (const limits of [{ depth: 0 }, { time: 0 }, { rate: { limit: 0.5, window: 1 } }] as const) {
    it.effect(`refuses a limit that makes no sense: ${JSON.stringify(limits)}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(web(limits))))
        assert.match(exit._tag === "Failure" ? Cause.pretty(exit.cause) : "", /^InvalidOption: Serve was given /)
      }))
  }
})

describe("the OpenAPI document of an api", () => {
  layer(web())((it) => {
    it.effect("has each message with its payload, its answers and its refusals, and each reference leads somewhere", () =>
      Effect.gen(function*() {
        const [status, document] = yield* answer("/openapi.json", { method: "GET" })
        assert.strictEqual(status, 200)
        assert.match(document.openapi, /^3\.1\./)
        assert.isString(document.info.title)
        assert.isString(document.info.version)
        const paths = Object.keys(document.paths)
        assert.sameMembers(
          paths,
          ["Deposit", "Withdraw", "Balance", "Note", "Label", "Grow", "Close", "Crash", "Hang", "Odd"].map((tag) =>
            `/account/${tag}`
          )
        )
        const operations = paths.map((path) => document.paths[path].post)
        assert.strictEqual(new Set(operations.map(({ operationId }) => operationId)).size, paths.length)
        for (const { parameters, requestBody, responses } of operations) {
          assert.isObject(requestBody.content["application/json"].schema)
          assert.includeMembers(Object.keys(responses), ["400", "413", "415", "429", "503", "504"])
          for (const [status, { content, description }] of Object.entries<any>(responses)) {
            assert.match(status, /^[1-5]\d\d$/)
            assert.isString(description)
            for (const { schema } of Object.values<any>(content ?? {})) assert.isObject(schema)
          }
          for (const one of parameters) {
            assert.include(["path", "header", "query"], one.in)
            assert.isObject(one.schema)
          }
        }
        assert.deepStrictEqual(
          Object.keys(document.paths["/account/Withdraw"].post.responses).filter((s) => s === "402"),
          [
            "402"
          ]
        )
        const lost: Array<string> = []
        const look = (value: unknown): void => {
          if (typeof value !== "object" || value === null) return
          const { $ref } = value as { $ref?: unknown }
          if (typeof $ref === "string") {
            const found = $ref.replace(/^#\//, "").split("/").reduce((at: any, name) => at?.[name], document)
            if (found === undefined) lost.push($ref)
          }
          Object.values(value).forEach(look)
        }
        look(document)
        assert.deepStrictEqual(lost, [])
      }))
  })
})
