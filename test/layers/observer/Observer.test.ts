/** What the observer says over HTTP, and to whom. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Redacted, References, Terminal } from "effect"
import { request } from "node:http"
import * as Telemetry from "../../../src/layers/observation/Telemetry.ts"
import { layer as observerLayer, Observer, terminal as showTerminal } from "../../../src/layers/observer/Observer.ts"
import { serverOf } from "../../../src/layers/server/class/ServerRef.ts"
import { built } from "../../kit/observer/Chromium.ts"
import { ask, open, post, rowOf } from "../../kit/observer/Reading.ts"
import { Clerk, Counter, gather, Vault, watched } from "../../kit/observer/Watched.ts"

built()

const quiet = Layer.succeed(References.MinimumLogLevel, "Fatal" as const)

/** A request whose headers are ours alone: `fetch` lets nothing else than a browser would set a Host. */
const raw = (url: string, path: string, headers: Record<string, string>, method = "GET") =>
  Effect.callback<number>((resume) => {
    const { hostname, port } = new URL(url)
    const sent = request({ hostname, port, path, method, headers, setHost: false }, (response) => {
      response.resume()
      response.on("end", () => resume(Exit.succeed(response.statusCode ?? 0)))
    })
    sent.end()
  })

const url = Effect.map(Observer, (observer) => observer.url)

layer(Layer.provide(watched({ every: "20 millis" }), quiet), { excludeTestServices: true })(
  "an observer that only looks",
  (it) => {
    it.effect("shows the tree, with what is seen of each process", () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        yield* counter.Add({ by: 41 })
        const reading = yield* open(yield* url)
        assert.deepStrictEqual(reading.screen.rows.map(({ depth, id, kind }) => [depth, kind, id]), [
          [0, "supervisor", "app"],
          [1, "worker", "watched/Counter:StateContainer"],
          [1, "server", "watched/Counter"],
          [1, "worker", "watched/Clerk:StateContainer"],
          [1, "server", "watched/Clerk"],
          [1, "worker", "watched/Vault:StateContainer"],
          [1, "server", "watched/Vault"],
          [1, "worker", "watched/Leaf:StateContainer"],
          [1, "supervisor", "crowd"]
        ])
        assert.deepInclude(rowOf("watched/Counter")(reading.screen), {
          status: "running",
          incarnation: 1,
          handled: 1,
          queued: 0
        })
        assert.deepInclude(rowOf("app")(reading.screen), {
          budget: { used: 0, restarts: 50, within: 60_000 },
          below: 8
        })
        assert.strictEqual(reading.screen.totals.processes, 9)
      }))

    it.effect("shows a crash as one group, and its process with what it died of", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const { n } = rowOf("watched/Counter")(reading.screen)!
        yield* reading.look({ chosen: n })
        const counter = yield* Counter
        yield* Effect.exit(counter.Crash())
        const group = yield* reading.until(({ feed }) =>
          feed.find(({ ended, path }) => path[1] === "watched/Counter" && ended !== null)
        )
        assert.deepStrictEqual(group.steps.map(({ tag }) => tag), ["Exited", "Restarting", "StateRestored", "Started"])
        const row = yield* reading.until((screen) => {
          const row = rowOf("watched/Counter")(screen)
          return row?.incarnation === 2 && row
        })
        assert.strictEqual(row.lastExit, "crashed: Error: boom")
        const chosen = yield* reading.until(({ chosen }) => chosen !== null && chosen.crash !== null && chosen)
        assert.include(chosen.crash, "in hand: Crash")
        assert.include(chosen.crash, "Error: boom")
        assert.deepStrictEqual(JSON.parse(chosen.state!), { count: 41, by: "" })
      }))

    it.effect("shows a server that is busy at once, with its message and what waits behind it", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const clerk = yield* Clerk
        const until = yield* Deferred.make<void>()
        yield* Effect.forEach([1, 2, 3], () => clerk.File({ until }))
        const row = yield* reading.until((screen) => {
          const row = rowOf("watched/Clerk")(screen)
          return row?.inHand?.message === "File" && row
        })
        assert.deepInclude(row, { status: "running", queued: 2, capacity: 10 })
        yield* Deferred.succeed(until, undefined)
        yield* reading.until((screen) => rowOf("watched/Clerk")(screen)?.inHand === null)
      }))

    it.effect("hides what a schema marks as secret, in states and in snapshots", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const { n } = rowOf("watched/Vault")(reading.screen)!
        const vault = yield* Vault
        yield* vault.Open()
        yield* reading.look({ chosen: n })
        const state = yield* reading.until(({ chosen }) => chosen?.state ?? undefined)
        assert.deepStrictEqual(JSON.parse(state), { owner: "ann", pin: "<redacted>" })
        const kept = yield* ask(yield* url, `snapshots?n=${n}`)
        assert.notInclude(yield* Effect.promise(() => kept.text()), "very secret")
      }))

    it.effect("says what changed from one snapshot to another", () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        yield* counter.Add({ by: 1 })
        yield* counter.Add({ by: 1 })
        const reading = yield* open(yield* url)
        const { n } = rowOf("watched/Counter")(reading.screen)!
        const response = yield* ask(yield* url, `snapshots?n=${n}`)
        const { kept } = (yield* Effect.promise(() => response.json())) as { kept: ReadonlyArray<{ seq: number }> }
        const [newest, older] = kept
        const difference = yield* ask(yield* url, `difference?n=${n}&from=${older!.seq}&to=${newest!.seq}`)
        assert.deepInclude(yield* Effect.promise(() => difference.json()), { text: "± /count: 43" })
      }))

    it.effect("sends the window that a reader looks at, of however many servers", () =>
      Effect.gen(function*() {
        yield* gather(10_000)
        const reading = yield* open(yield* url)
        const crowd = yield* reading.until((screen) => {
          const row = rowOf("crowd")(screen)
          return row?.below === 10_000 && row
        })
        yield* reading.look({ opened: [crowd.n], from: 5000, count: 40 })
        yield* reading.until(({ from, total }) => from === 5000 && total === 10_009)
        assert.strictEqual(reading.screen.rows.length, 40)
        assert.strictEqual(reading.screen.rows[0]!.id, "watched/Leaf/04991")
        yield* reading.look({ find: "0999" })
        yield* reading.until(({ total }) => total === 11)
        assert.strictEqual(reading.screen.rows[0]!.id, "watched/Leaf/00999")
      }))

    it.effect("lists processes in the order of a column, the first thousand, and those that are searched for", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const clerk = yield* Clerk
        const until = yield* Deferred.make<void>()
        yield* Effect.forEach([1, 2, 3], () => clerk.File({ until }))
        yield* reading.look({ sort: { by: "mailbox", order: "descending" }, count: 10 })
        const first = yield* reading.until(({ rows: [first] }) => first?.id === "watched/Clerk" && first)
        assert.strictEqual(first.depth, 0)
        assert.strictEqual(reading.screen.total, 1000)
        yield* Deferred.succeed(until, undefined)
        yield* reading.look({ sort: { by: "name", order: "descending" }, find: "leaf/", count: 10 })
        yield* reading.until(({ rows }) => rows[0]?.id === "watched/Leaf/09999" && rows[1]?.id === "watched/Leaf/09998")
        yield* reading.look({})
        yield* reading.until(({ rows }) => rows[0]?.id === "app")
      }))

    it.effect("counts messages by type for the process that is inspected", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const { n } = rowOf("watched/Counter")(reading.screen)!
        yield* reading.look({ chosen: n })
        const counter = yield* Counter
        yield* counter.Add({ by: 0 })
        yield* counter.Add({ by: 0 })
        yield* counter.Name({ name: "ann" })
        const types = yield* reading.until(({ chosen }) => chosen?.types[1]?.[2] === 1 && chosen.types)
        assert.deepStrictEqual(types, [["Add", "call", 2], ["Name", "call", 1], ["Crash", "call", 0]])
        yield* reading.look({})
        assert.isUndefined(serverOf(counter)?.debug)
      }))

    it.effect("finds a process that the feed names", () =>
      Effect.gen(function*() {
        const found = yield* post(yield* url, "find", { path: ["app", "crowd", "watched/Leaf/00017"] })
        const { way } = (yield* Effect.promise(() => found.json())) as { way: ReadonlyArray<number> }
        assert.strictEqual(way.length, 3)
        const reading = yield* open(yield* url)
        yield* reading.look({ chosen: way[2]! })
        const path = yield* reading.until(({ chosen }) => chosen?.path)
        assert.deepStrictEqual(path, ["app", "crowd", "watched/Leaf/00017"])
      }))

    it.effect("refuses a wrong Host and a foreign Origin, whatever is asked", () =>
      Effect.gen(function*() {
        const at = yield* url
        const { host } = new URL(at)
        assert.strictEqual(yield* raw(at, "/", { host }), 200)
        for (const path of ["/", "/snapshots?n=1", "/events"]) {
          assert.strictEqual(yield* raw(at, path, { host: "rebound.example" }), 403, path)
          assert.strictEqual(yield* raw(at, path, { host, origin: "http://evil.example" }), 403, path)
        }
        for (const path of ["/view", "/find", "/actions"]) {
          assert.strictEqual(yield* raw(at, path, { host: "rebound.example" }, "POST"), 403, path)
          assert.strictEqual(yield* raw(at, path, { host, origin: "null" }, "POST"), 403, path)
        }
      }))

    it.effect("does nothing, since it was made without actions", () =>
      Effect.gen(function*() {
        const reading = yield* open(yield* url)
        const before = rowOf("watched/Vault")(reading.screen)!
        const response = yield* post(yield* url, "actions", { _tag: "Crash", n: before.n })
        assert.strictEqual(response.status, 403)
        yield* reading.until(({ totals }) => totals.processes > 0)
        assert.strictEqual(rowOf("watched/Vault")(reading.screen)!.incarnation, before.incarnation)
      }))

    it.effect("refuses what it does not take, and goes on", () =>
      Effect.gen(function*() {
        const at = yield* url
        for (
          const body of [
            "",
            "{",
            "[]",
            "null",
            "{}",
            `{"reader":1}`,
            `{"path":"app"}`,
            `{"_tag":"Erase","n":1}`,
            `{"n":1e99}`
          ]
        ) {
          for (const path of ["view", "find", "actions"]) {
            assert.strictEqual((yield* post(at, path, body)).status, 400, `${path} ${body}`)
          }
        }
        assert.strictEqual((yield* ask(at, "snapshots?n=x")).status, 404)
        assert.strictEqual((yield* ask(at, "difference?n=99999&from=1&to=2")).status, 404)
        assert.strictEqual((yield* ask(at, "nowhere")).status, 404)
        assert.isAtLeast((yield* post(at, "view", `"${"x".repeat(200_000)}"`)).status, 400)
        yield* open(at)
      }))

    it.effect("sends a page that runs its own scripts alone", () =>
      Effect.gen(function*() {
        const response = yield* ask(yield* url, "")
        const policy = response.headers.get("content-security-policy") ?? ""
        assert.include(policy, "default-src 'none'")
        assert.match(policy, /script-src 'sha256-[^']+';/)
        assert.notInclude(policy, "unsafe")
        assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
      }))
  }
)

layer(Layer.provide(watched({ every: "20 millis", actions: true, token: Redacted.make("open sesame") }), quiet), {
  excludeTestServices: true
})("an observer that acts, for those who have its token", (it) => {
  const authorization = { authorization: "Bearer open sesame" }
  const act = (action: unknown) => Effect.flatMap(url, (at) => post(at, "actions", action, authorization))
  const said = (response: Response) => Effect.promise(() => response.json() as Promise<{ said?: string; why?: string }>)

  it.effect("asks for the token, but for the page itself", () =>
    Effect.gen(function*() {
      const at = yield* url
      assert.strictEqual((yield* ask(at, "")).status, 200)
      for (const wrong of [{}, { authorization: "Bearer open sesamy" }]) {
        assert.strictEqual((yield* ask(at, "events", { headers: wrong })).status, 401)
        assert.strictEqual((yield* post(at, "actions", { _tag: "Crash", n: 1 }, wrong)).status, 401)
      }
      yield* open(at, authorization)
    }))

  it.effect("says that a process is gone, or that it never was", () =>
    Effect.gen(function*() {
      const response = yield* act({ _tag: "Crash", n: 99999 })
      assert.deepStrictEqual([response.status, yield* said(response)], [404, {
        why: "There is no such process any more."
      }])
    }))

  it.effect("crashes, suspends, resumes, restarts and stops", () =>
    Effect.gen(function*() {
      const reading = yield* open(yield* url, authorization)
      const { n } = rowOf("watched/Counter")(reading.screen)!
      const counter = yield* Counter
      const isNow = (status: string, incarnation: number) =>
        reading.until((screen) => {
          const row = rowOf("watched/Counter")(screen)
          return row?.status === status && row.incarnation === incarnation
        })
      assert.strictEqual((yield* act({ _tag: "Crash", n })).status, 200)
      yield* isNow("running", 2)
      yield* act({ _tag: "Suspend", n })
      yield* isNow("suspended", 2)
      yield* act({ _tag: "Resume", n })
      yield* isNow("running", 2)
      assert.strictEqual(yield* counter.Add({ by: 1 }), 1)
      yield* act({ _tag: "Restart", n })
      yield* isNow("running", 3)
      yield* act({ _tag: "Stop", n })
      yield* isNow("stopped", 3)
      yield* act({ _tag: "Restart", n })
      yield* isNow("running", 4)
      assert.strictEqual(yield* counter.Add({ by: 1 }), 2)
    }))

  it.effect("goes back to a snapshot", () =>
    Effect.gen(function*() {
      const at = yield* url
      const reading = yield* open(at, authorization)
      const { n } = rowOf("watched/Counter")(reading.screen)!
      const counter = yield* Counter
      const before = yield* counter.Add({ by: 0 })
      yield* counter.Add({ by: 1000 })
      const response = yield* ask(at, `snapshots?n=${n}`, { headers: authorization })
      const { kept } = (yield* Effect.promise(() => response.json())) as {
        kept: ReadonlyArray<{ seq: number; text: string }>
      }
      const good = kept.find(({ text }) => JSON.parse(text).count === before)!
      assert.include((yield* said(yield* act({ _tag: "Restore", n, seq: good.seq }))).said, `snapshot ${good.seq}`)
      assert.strictEqual(yield* counter.Add({ by: 0 }), before)
      assert.strictEqual((yield* act({ _tag: "Restore", n, seq: 9999 })).status, 409)
    }))

  it.effect("replays what is in quarantine, and says why it failed again", () =>
    Effect.gen(function*() {
      const reading = yield* open(yield* url, authorization)
      const { n } = rowOf("watched/Vault")(reading.screen)!
      yield* reading.look({ chosen: n })
      const vault = yield* Vault
      yield* vault.Poison()
      const kept = yield* reading.until(({ chosen }) => chosen?.quarantined[0])
      assert.deepInclude(kept, { message: "Poison", attempts: 1, why: "crashed: Error: poisoned" })
      assert.include(kept.payload, "not shown")
      const response = yield* act({ _tag: "Replay", n, at: kept.at, message: kept.message })
      assert.isAtLeast(response.status, 200)
      yield* reading.until(({ chosen }) => chosen?.quarantined.length === 1)
      assert.strictEqual((yield* act({ _tag: "Replay", n, at: 1, message: "Poison" })).status, 409)
    }))

  it.effect("stops no root, and says so", () =>
    Effect.gen(function*() {
      const reading = yield* open(yield* url, authorization)
      const { n } = rowOf("app")(reading.screen)!
      const response = yield* act({ _tag: "Stop", n })
      assert.strictEqual(response.status, 409)
      assert.include((yield* said(response)).why, "It is a root")
    }))
})

// The tree's own telemetry is the terminal's, too: it shows no other trees of this thread.
layer(Layer.provide(Layer.provideMerge(watched({}), Telemetry.layer), quiet), { excludeTestServices: true })(
  "an observer in a terminal",
  (it) => {
    it.effect("draws what there is, goes where keys lead, and leaves the terminal as it was", () =>
      Effect.gen(function*() {
        const keys = yield* Queue.unbounded<Terminal.UserInput, Cause.Done>()
        const press = (name: string) =>
          Queue.offerUnsafe(keys, { input: Option.none(), key: { name, ctrl: false, meta: false, shift: false } })
        const shown: Array<string> = []
        const drawn = yield* Deferred.make<void>()
        const terminal = Terminal.make({
          columns: Effect.succeed(100),
          rows: Effect.succeed(20),
          size: Effect.never,
          readInput: Effect.succeed(keys),
          readLine: Effect.never,
          display: (text) => {
            shown.push(text)
            return text.includes("watched/Counter") ? Effect.asVoid(Deferred.succeed(drawn, undefined)) : Effect.void
          }
        })
        const running = yield* Effect.forkChild(
          Effect.provideService(showTerminal({ every: "10 millis" }), Terminal.Terminal, terminal)
        )
        yield* Deferred.await(drawn)
        press("left")
        press("s")
        press("q")
        yield* Fiber.join(running)
        assert.include(shown[0], "\u001b[?1049h")
        assert.isTrue(shown.some((text) => text.includes("▾ app 8")))
        assert.isTrue(shown.some((text) => text.includes("▸ app 8")))
        assert.include(shown.at(-2), "Processes ▴")
        assert.include(shown.at(-1), "\u001b[?1049l")
      }))
  }
)

describe("an observer", () => {
  it.effect("is not made of options that open more than was meant", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [option: string, given: object | null]> = [
        ["token", { token: Redacted.make("") }],
        ["token", { token: Redacted.make(undefined) }],
        ["token", { token: "secret" }],
        ["host", { host: "" }],
        ["host", { host: null }],
        ["hosts", { hosts: "localhost" }],
        ["hosts", { hosts: [""] }],
        ["actions", { actions: "false" }],
        ["port", { port: -1 }],
        ["port", { port: 1.5 }],
        ["port", { port: "80" }],
        ["about", { about: 5 }],
        ["every", { every: 0 }],
        ["options", null]
      ]
      for (const [option, given] of wrong) {
        const options = given === null ? null as never : { port: 0, ...given } as object
        const exit = yield* Effect.exit(Layer.build(observerLayer(options)))
        const error: unknown = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.deepInclude(error, { _tag: "InvalidOption", option })
        assert.notInclude(String(error), "secret")
      }
    }))
})
