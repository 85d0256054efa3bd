/** Where threads and processes come from, which are shared, and how one is watched: with none behind them. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Logger, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { WorkerDied } from "../../../../src/domain/placement/WorkerErrors.ts"
import { errorFields } from "../../../../src/domain/text/ForeignCause.ts"
import type { Host } from "../../../../src/layers/placement/worker/Host.ts"
import * as Lanes from "../../../../src/layers/placement/worker/Lanes.ts"
import * as Supply from "../../../../src/layers/placement/worker/Supply.ts"
import { played, request } from "../../../kit/worker/PlayedPlaces.ts"

const one = { url: "file:one", server: { key: "test/One" } }
const two = { url: "file:two", server: { key: "test/Two" } }

interface Line {
  readonly level: string
  readonly message: ReadonlyArray<unknown>
  readonly annotations: unknown
}

/** Lines that are logged meanwhile. */
const logging = () => {
  const lines: Array<Line> = []
  const layer = Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      lines.push({ level: logLevel, message: message as ReadonlyArray<unknown>, annotations })
    })
  ])
  return { lines, layer }
}

const supplied = Effect.fnUntraced(function*(options: Supply.PlacementOptions = {}, isShared = false) {
  const { all, starts } = played()
  const { layer, lines } = logging()
  const scope = yield* Scope.make()
  const supply = yield* Supply.make("test", options, isShared, starts).pipe(Scope.provide(scope), Effect.provide(layer))
  return { supply, all, lines, close: Scope.close(scope, Exit.void) }
})

const reported = (lines: ReadonlyArray<Line>) => lines.map(({ level, message }) => `${level} ${message.join(" ")}`)

const ask = (host: Host, what = "it") =>
  Effect.forkDetach(Effect.exit(host.ask(request, what, () => Infinity)), { startImmediately: true })

describe("a supply", () => {
  it.effect("starts what it is asked for, with the options that it was given", () =>
    Effect.gen(function*() {
      for (const placement of [undefined, "thread", "process"] as const) {
        const given = {
          resourceLimits: { maxOldGenerationSizeMb: 9 },
          execArgv: ["--no-warnings"],
          env: { A: "b" }
        }
        const { all, supply } = yield* supplied({ ...given, placement })
        assert.lengthOf(all, 0)
        const host = supply.take()
        assert.notStrictEqual(supply.take(), host)
        const kind = placement ?? "thread"
        assert.deepStrictEqual([supply.kind, all.map((place) => place.kind)], [kind, [kind, kind]])
        assert.deepStrictEqual(all[0]!.options, given)
      }
    }))

  it.effect("has a module loaded and its layer built, and then one kept ready that has loaded all and built nothing", () =>
    Effect.gen(function*() {
      const { all, supply } = yield* supplied()
      const host = supply.take()
      yield* supply.prepare(host, one)
      assert.deepStrictEqual(all.map(({ told }) => told), [["load file:one", "serve test/One"], ["load file:one"]])
      yield* supply.prepare(host, two)
      yield* supply.prepare(host, one)
      // There is one ready by now.
      assert.lengthOf(all, 2)
      const next = supply.take()
      assert.deepStrictEqual([next.place.kind, all.length], ["thread", 2])
      yield* supply.prepare(next, two)
      assert.deepStrictEqual(all.slice(1).map(({ told }) => told), [
        ["load file:one", "load file:two", "serve test/Two"],
        ["load file:one", "load file:two"]
      ])
      // What was loaded for it is not loaded again.
      yield* supply.prepare(next, one)
      assert.deepStrictEqual(all[1]!.told.slice(3), ["serve test/One"])
    }))

  it.effect("keeps none ready that dies, or that does not load: what it is good for, the next one says", () =>
    Effect.gen(function*() {
      const { all, supply } = yield* supplied()
      const host = supply.take()
      yield* supply.prepare(host, one)
      all[1]!.listener.died("fell")
      const fresh = supply.take()
      assert.lengthOf(all, 3)
      yield* supply.prepare(fresh, one)
      const [, , , spare] = all
      assert.isFalse(spare!.isEnded)
      // One that is taken is its taker's: its death says nothing of the next one that is ready.
      const taken = supply.take()
      const onDeath = taken.onDeath
      yield* supply.prepare(fresh, one)
      assert.lengthOf(all, 5)
      onDeath(new WorkerDied({ place: "thread", how: "fell" }), 0)
      supply.take()
      assert.lengthOf(all, 5)
    }))

  it.effect("ends the one that does not load", () =>
    Effect.gen(function*() {
      const { starts, all } = played()
      const unwilling: Supply.Starts = {
        ...starts,
        thread: (options, listener) => {
          const place = starts.thread(options, listener)
          all.at(-1)!.isWilling = all.length !== 2
          return place
        }
      }
      const scope = yield* Scope.make()
      const supply = yield* Scope.provide(Supply.make("test", {}, false, unwilling), scope)
      const host = supply.take()
      yield* supply.prepare(host, one)
      const spare = all[1]!
      assert.isFalse(spare.isEnded)
      spare.listener.response({ is: "done", id: 0, error: errorFields(new Error("no")) })
      yield* Effect.yieldNow
      assert.isTrue(spare.isEnded)
      yield* supply.prepare(host, one)
      assert.lengthOf(all, 3)
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("keeps none ready where that is said, none where the first does not come up, and none after its end", () =>
    Effect.gen(function*() {
      const without = yield* supplied({ spare: false })
      yield* without.supply.prepare(without.supply.take(), one)
      assert.lengthOf(without.all, 1)
      const failing = yield* supplied()
      const host = failing.supply.take()
      failing.all[0]!.isWilling = false
      const preparing = yield* Effect.forkDetach(Effect.flip(failing.supply.prepare(host, one)), {
        startImmediately: true
      })
      failing.all[0]!.listener.died("fell")
      assert.strictEqual((yield* Fiber.join(preparing)).at, "module")
      assert.lengthOf(failing.all, 1)
      const over = yield* supplied()
      const last = over.supply.take()
      yield* over.supply.prepare(last, one)
      yield* over.close
      assert.deepStrictEqual(over.all.map(({ isEnded }) => isEnded), [false, true])
      assert.notInclude(over.all[1]!.told, "end")
      over.supply.take()
      yield* over.supply.prepare(last, two)
      assert.lengthOf(over.all, 3)
      // One that was over before it had any.
      yield* without.close
      assert.isFalse(without.all[0]!.isEnded)
    }))

  it.effect("logs what is logged there, as it was there", () =>
    Effect.gen(function*() {
      const { all, lines, supply } = yield* supplied()
      supply.take()
      const line = { is: "log", level: "Warn", message: ["a", { b: 1 }], annotations: { of: "x" } } as const
      all[0]!.listener.response({ ...line, cause: undefined })
      all[0]!.listener.response({ ...line, level: "Error", cause: errorFields(new RangeError("boom")) })
      yield* Effect.yieldNow
      const [first, second] = lines
      assert.deepStrictEqual(first, { level: "Warn", message: ["a", { b: 1 }], annotations: { of: "x" } })
      assert.deepStrictEqual([second?.level, second?.message.slice(0, 2)], ["Error", ["a", { b: 1 }]])
      assert.deepInclude(Object(second?.message[2]), { name: "RangeError", message: "boom" })
    }))
})

describe("a place that is asked something is watched", () => {
  const stuck = { utilisation: 1, given: 100 }
  const watched = Effect.fnUntraced(function*(hang: Supply.HangOptions, isShared = false) {
    const made = yield* supplied({ hang, spare: false, placement: "process" }, isShared)
    const host = made.supply.take()
    return { ...made, host, place: made.all[0]! }
  })
  it.effect("as long as it is, and ten looks longer: for how long it was given, as often as its patience needs", () =>
    Effect.gen(function*() {
      const { host, place } = yield* watched({ patience: 1000 })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(place.looks, [])
      yield* ask(host)
      place.listener.response({ is: "outcome", id: 0, outcome: { is: "nothing" } })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(place.looks.splice(0).length, 11)
      yield* ask(host)
      yield* ask(host)
      assert.deepStrictEqual(place.looks, [0])
      yield* TestClock.adjust(350)
      assert.deepStrictEqual(place.looks, [0, 100, 100, 100])
      place.listener.response({ is: "outcome", id: 1, outcome: { is: "nothing" } })
      place.listener.response({ is: "outcome", id: 2, outcome: { is: "nothing" } })
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(place.looks, 14)
      yield* ask(host)
      assert.deepStrictEqual(place.looks.slice(13), [100, 0])
      yield* TestClock.adjust(100)
      assert.lengthOf(place.looks, 16)
      place.listener.response({ is: "outcome", id: 3, outcome: { is: "nothing" } })
      yield* TestClock.adjust(500)
      // A rest that is none begins anew.
      yield* ask(host)
      place.listener.died("fell")
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(place.looks, 22)
    }))

  it.effect("rests that are not ten in a row do not end it", () =>
    Effect.gen(function*() {
      const { host, place } = yield* watched({ patience: 1000 })
      for (let id = 0; id < 3; id++) {
        yield* ask(host)
        yield* TestClock.adjust(100)
        place.listener.response({ is: "outcome", id, outcome: { is: "nothing" } })
        yield* TestClock.adjust(900)
      }
      assert.deepStrictEqual(place.looks.slice(1), Array.from({ length: 30 }, () => 100))
      assert.strictEqual(place.looks[0], 0)
    }))

  it.effect("and is reported once when it is at the same for longer than its patience, and again after a rest", () =>
    Effect.gen(function*() {
      const { host, lines, place } = yield* watched({ patience: 1000 })
      yield* ask(host, "Loop of test/One")
      yield* ask(host, "Wait of test/One")
      place.sight = stuck
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(reported(lines), [])
      yield* TestClock.adjust(100)
      const text =
        "Warn a process of test has been busy for 1000 ms with Loop of test/One, Wait of test/One, without a rest"
      assert.deepStrictEqual(reported(lines), [text])
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(lines, 1)
      assert.isUndefined(host.dead)
      place.sight = { utilisation: 0, given: 0 }
      yield* TestClock.adjust(100)
      place.sight = stuck
      yield* TestClock.adjust(1200)
      assert.lengthOf(lines, 2)
    }))

  it.effect("and is killed where that is said; what it is at may be nothing of its servers'", () =>
    Effect.gen(function*() {
      const { host, lines, place } = yield* watched({ patience: 1000, action: "kill" }, true)
      const waiter = yield* ask(host)
      place.sight = stuck
      // It is told before it is done.
      host.onDeath = () => assert.lengthOf(lines, 1)
      yield* TestClock.adjust(1200)
      assert.isTrue(place.isEnded)
      assert.match(host.dead!.how, /^has been busy for \d+ ms with something else: it was taken for hung$/)
      assert.match(
        reported(lines).join(),
        /^Warn a process of test has been busy for \d+ ms with something else, without/
      )
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(waiter)))
      const { length } = place.looks
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(place.looks, length)
    }))

  it.effect("and is not taken for hung where nothing says what it was given, and its parent was late", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      for (const late of [0, 60]) {
        const slow = {
          ...clock,
          sleep: (time: Duration.Duration) => clock.sleep(Duration.sum(time, Duration.millis(late)))
        }
        const { host, lines, place } = yield* Effect.provideService(watched({ patience: 1000 }), Clock.Clock, slow)
        yield* ask(host)
        place.sight = { utilisation: 1, given: undefined }
        yield* TestClock.adjust(3000)
        assert.strictEqual(place.looks.at(-1), 100 + late)
        assert.lengthOf(lines, late === 0 ? 1 : 0)
      }
    }))

  it.effect("by default for ten seconds, without an end", () =>
    Effect.gen(function*() {
      const { host, lines, place } = yield* watched({})
      yield* ask(host)
      place.sight = { utilisation: 1, given: 1000 }
      yield* TestClock.adjust("10 seconds")
      assert.lengthOf(lines, 0)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(lines, 1)
      assert.isUndefined(host.dead)
    }))
})

describe("lanes", () => {
  const lanes = Effect.fnUntraced(function*(size: number) {
    const { all, starts } = played()
    const { layer, lines } = logging()
    const scope = yield* Scope.make()
    const made = yield* Lanes.make("test/Threads", { size, spare: false, placement: "process" }, starts).pipe(
      Scope.provide(scope),
      Effect.provide(layer)
    )
    return { made, all, lines, close: Scope.close(scope, Exit.void) }
  })
  const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)

  it.effect("are as many as was said, each with a place of its own from when it is needed; a key has its lane", () =>
    Effect.gen(function*() {
      const { all, made } = yield* lanes(3)
      assert.deepStrictEqual([made.kind, made.size, all.length], ["process", 3, 0])
      const hosts = yield* Effect.forEach(keys, (key) => made.host(key, one))
      assert.deepStrictEqual([new Set(hosts).size, all.length], [3, 3])
      assert.deepStrictEqual(yield* Effect.forEach(keys, (key) => made.host(key, two)), hosts)
      const both = ["load file:one", "serve test/One", "load file:two", "serve test/Two"]
      assert.deepStrictEqual(all.map(({ told }) => told), [both, both, both])
    }))

  it.effect("have the next place when one dies, and say how many messages it had begun", () =>
    Effect.gen(function*() {
      const { all, lines, made } = yield* lanes(1)
      for (const begun of [0, 1, 2]) {
        const host = yield* made.host("a", one)
        const place = all.at(-1)!
        assert.lengthOf(all, begun + 1)
        const waiters = [yield* ask(host), yield* ask(host), yield* ask(host)]
        const last = place.said.flatMap((request) => request.to === "ask" ? [request.id] : [])
        for (const id of last.slice(0, begun)) place.listener.response({ is: "begun", id })
        place.listener.died("fell")
        const exits = yield* Effect.forEach(waiters, (fiber) => Fiber.join(fiber))
        assert.lengthOf(exits.filter(Exit.isFailure), begun)
      }
      const said = (what: string) =>
        "Warn test/Threads: the process of the handler fell. The next incarnation gets another one. " +
        `Of what it was asked, ${what} begun.`
      yield* Effect.yieldNow
      assert.deepStrictEqual(reported(lines), [
        said("0 messages were"),
        said("one message was"),
        said("2 messages were")
      ])
    }))

  it.effect("end with their scope, all at once and in order; what is not released is said, no more, and no other place is started", () =>
    Effect.gen(function*() {
      const { all, close, lines, made } = yield* lanes(2)
      yield* Effect.forEach(keys, (key) => made.host(key, one))
      for (const place of all) place.isWilling = false
      const closing = yield* Effect.forkDetach(close, { startImmediately: true })
      assert.deepStrictEqual(all.map(({ told }) => told.at(-1)), ["end", "end"])
      const refused = yield* Effect.exit(made.host("a", one))
      const error = Exit.isFailure(refused) ? Cause.squash(refused.cause) : undefined
      assert.instanceOf(error, WorkerDied)
      assert.deepInclude(error, { place: "process", how: "was ended with its pool, test/Threads" })
      yield* TestClock.adjust(4999)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      assert.deepStrictEqual([all.map(({ isEnded }) => isEnded), all.length], [[true, true], 2])
      const said = "Error what the layers of a process of test/Threads had acquired was not released within 5000 ms"
      assert.deepStrictEqual(reported(lines), [said, said])
    }))
})
