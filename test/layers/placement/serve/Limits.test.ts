/** What of a request is refused before anything has it, and in which words: with no server around it. */
import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Cause, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Refused } from "../../../../src/domain/placement/Refused.ts"
import { issuesOf, strictly } from "../../../../src/layers/placement/serve/Issues.ts"
import {
  admitting,
  boundsOf,
  type Rate,
  readText,
  textOf,
  unreadable
} from "../../../../src/layers/placement/serve/Limits.ts"

const wrong = (exit: Exit.Exit<unknown, unknown>): any => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

const posted = (body: BodyInit, headers: Record<string, string> = {}) =>
  HttpServerRequest.fromWeb(new Request("http://a/b", { method: "POST", body, headers, duplex: "half" } as RequestInit))

const from = (address: string | undefined) =>
  ({ headers: {}, remoteAddress: Option.fromNullishOr(address) }) as unknown as HttpServerRequest.HttpServerRequest

describe("limits", () => {
  it("are these where nothing else is said", () => {
    const { body, ...rest } = boundsOf({})
    assert.strictEqual(ByteSize.toNumberUnsafe(body), 65_536)
    assert.deepStrictEqual(rest, { bytes: 65_536, depth: 32, millis: 30_000 })
    assert.strictEqual(boundsOf({ depth: 1 }).depth, 1)
    const { body: _, ...own } = boundsOf({ body: "1 KiB", depth: 3, time: "1 second" })
    assert.deepStrictEqual(own, { bytes: 1024, depth: 3, millis: 1000 })
  })

  it("that make no sense are refused by name", () => {
    for (
      const [limits, words] of [
        [{ body: "much" }, "given \"much\" as body: it must be a size, such as"],
        [{ depth: 0 }, "as depth:"],
        [{ time: 0 }, "as time:"]
      ] as const
    ) assert.throws(() => boundsOf(limits as never), new RegExp(`^Serve was .*${words}`))
  })
})

describe("the head of a request", () => {
  const said = (headers: Record<string, string>) =>
    unreadable({ headers } as never, ["application/json", "text/plain"])?.detail

  it("says of its body nothing, or what can be read", () => {
    for (
      const type of [
        "",
        "application/json",
        "Application/JSON ; charset=UTF-8",
        "application/json;a=b;charset=utf-8",
        "text/plain;charset=\"utf8\""
      ]
    ) {
      assert.isUndefined(said({ "content-type": type }), type)
    }
    assert.isUndefined(said({}))
    assert.isUndefined(said({ "content-encoding": "identity, Identity," }))
    assert.strictEqual(said({ "content-type": "text/html" }), "A body is application/json.")
    for (const charset of ["latin1", "utf-16", "\"utf-7\""]) {
      assert.strictEqual(said({ "content-type": `application/json; a=b; charset=${charset}` }), "A body is UTF-8.")
    }
    assert.strictEqual(said({ "content-encoding": "identity, gzip" }), "A body has no content-encoding.")
    assert.strictEqual(unreadable({ headers: { "content-encoding": "br" } } as never, [""])?.status, 415)
  })
})

describe("the body of a request", () => {
  const bounds = boundsOf({ body: 20, depth: 2, time: "1 second" })
  const read = (body: BodyInit) => Effect.exit(readText(posted(body), bounds))
  const said = (exit: Exit.Exit<unknown, unknown>) => `${wrong(exit)?.status} ${wrong(exit)?.detail}`

  it.effect("is text of that size and depth, whole and in time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read("[[\"ü\"]]"), Exit.succeed("[[\"ü\"]]"))
      assert.deepStrictEqual(yield* read("x".repeat(20)), Exit.succeed("x".repeat(20)))
      assert.match(said(yield* read("x".repeat(21))), /^413 A body has 20 ?B(ytes)? at most\.$/)
      assert.strictEqual(said(yield* read("[[[1]]]")), "400 The JSON is nested deeper than 2.")
      assert.strictEqual(said(yield* read(new Uint8Array([0xff]))), "400 This is not UTF-8.")
      const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) })
      assert.strictEqual(said(yield* read(broken)), "400 The body could not be read.")
      const late = yield* Effect.forkChild(read(new ReadableStream({ pull: () => new Promise(() => {}) })), {
        startImmediately: true
      })
      yield* TestClock.adjust(999)
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(said(yield* Fiber.join(late)), "408 The body did not come in time.")
      assert.deepStrictEqual([textOf(new Uint8Array([0x61])), textOf(new Uint8Array([0xc3]))], ["a", undefined])
    }))
})

describe("callers", () => {
  const statuses = (rate: Rate | undefined, requests: ReadonlyArray<string | undefined>) =>
    Effect.gen(function*() {
      const admit = yield* admitting({ rate })
      const all: Array<unknown> = []
      for (const address of requests) {
        const exit = yield* Effect.exit(admit(from(address)))
        all.push(Exit.isSuccess(exit) ? 200 : wrong(exit).status ?? wrong(exit))
      }
      return all
    })

  it.effect("are counted by their address, or by what they are known by", () =>
    Effect.gen(function*() {
      const rate: Rate = { limit: 2, window: "1 minute" }
      assert.deepStrictEqual(yield* statuses(undefined, ["a", "a", "a"]), [200, 200, 200])
      assert.deepStrictEqual(yield* statuses(rate, ["a", "a", "b", "a", "b"]), [
        200,
        200,
        200,
        429,
        200
      ])
      assert.deepStrictEqual(yield* statuses(rate, [undefined, undefined, undefined]), [200, 200, 429])
      assert.deepStrictEqual(yield* statuses({ ...rate, caller: () => "all" }, ["a", "b", "c"]), [
        200,
        200,
        429
      ])
    }))

  it.effect("hear how much is too much, and when to come again; a window later they may", () =>
    Effect.gen(function*() {
      const admit = yield* admitting({ rate: { limit: 1, window: 10_000 } })
      for (let window = 0; window < 25; window++) {
        yield* admit(from("a"))
        const error = yield* Effect.flip(admit(from("a")))
        assert.instanceOf(error, Refused)
        assert.deepInclude({ ...error }, {
          status: 429,
          detail: "A caller may send 1 messages in 10s.",
          retryAfter: 10
        })
        yield* TestClock.adjust(10_000)
      }
      // However soon it is, it is a second at least.
      yield* admit(from("b"))
      yield* TestClock.adjust(9_999)
      assert.strictEqual((yield* Effect.flip(admit(from("b")))).retryAfter, 1)
    }))

  it.effect("are counted where the app counts, and are served where that is away", () =>
    Effect.gen(function*() {
      const counted: Array<unknown> = []
      const shared = (consume: (options: unknown) => Effect.Effect<any, any>) =>
        Layer.succeed(RateLimiter.RateLimiter, { consume } as never)
      const rate: Rate = { limit: 3, window: 5000 }
      const counting = shared((options) => Effect.sync(() => counted.push(options)))
      assert.deepStrictEqual(yield* Effect.provide(statuses(rate, ["a"]), counting), [200])
      assert.deepStrictEqual(counted, [{ key: "a", limit: 3, window: 5000 }])
      const away = shared(() => Effect.fail({ reason: { _tag: "RateLimitStoreError" } }))
      assert.deepStrictEqual(yield* Effect.provide(statuses(rate, ["a"]), away), [200])
    }))
})

describe("what is wrong with a request", () => {
  const issues = (schema: Schema.Top, value: unknown) => {
    const exit = Schema.decodeUnknownExit(schema as Schema.Codec<unknown>)(value, strictly)
    return issuesOf("body", wrong(exit))
  }

  it("is said below its part, ten of it at most, and what the caller names is cut", () => {
    const schema = Schema.Struct({ list: Schema.Array(Schema.Struct({ n: Schema.Int })) })
    assert.deepStrictEqual(issues(schema, { list: [{ n: 1 }, { n: "x" }] }).map(({ path }) => path), [
      ["body", "list", "1", "n"]
    ])
    assert.deepStrictEqual(issues(schema, 5).map(({ path }) => path), [["body"]])
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`more ${i}`, 1]))
    assert.lengthOf(issues(schema, { list: [], ...many }), 10)
    const [long] = issues(schema, { list: [], ["k".repeat(200)]: 1 })
    assert.isAtMost(long!.path[1]!.length, 61)
    assert.match(long!.path[1]!, /^k{59}/)
    const wordy = Schema.String.check(Schema.isPattern(/^a$/, { expected: "y".repeat(500) }))
    assert.isTrue(issues(wordy, "b").every(({ message }) => message.length > 150 && message.length <= 201))
  })
})
