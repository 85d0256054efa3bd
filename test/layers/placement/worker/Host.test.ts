/** What a parent keeps of its thread, or process: with none behind it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { WorkerDied, WorkerFailed } from "../../../../src/domain/placement/WorkerErrors.ts"
import { Uncrossable } from "../../../../src/layers/placement/worker/Codecs.ts"
import { Host, unbegun } from "../../../../src/layers/placement/worker/Host.ts"
import type { Listener } from "../../../../src/layers/placement/worker/Place.ts"
import {
  begun,
  calledBack,
  isResponse,
  type Outcome,
  type Request,
  slots,
  waiting
} from "../../../../src/layers/placement/worker/Protocol.ts"
import { reachable } from "../../../kit/Garbage.ts"
import { request } from "../../../kit/worker/PlayedPlaces.ts"

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkDetach(effect, { startImmediately: true })
const isOver = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined
const isInterrupted = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const exit = fiber.pollUnsafe()
  return exit?._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)
}

const same: Outcome = { is: "state", state: "same" }
const forever = () => Infinity

/** A clock that stands still, and counts who gives up waiting for it. */
const standing = (clock: Clock.Clock) => {
  const seen = { givenUp: 0 }
  const sleep = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => seen.givenUp++))
  return { seen, clock: { ...clock, sleep } }
}

interface Kind {
  readonly isShared?: boolean
  /** Whether it shares memory: a thread. */
  readonly marks?: boolean
  /** What happens when something is posted to it. */
  readonly posted?: (request: Request) => void
}

/** A host, and the place behind it as a test plays it. */
const placed = Effect.fnUntraced(function*({ isShared = false, marks = true, posted }: Kind = {}) {
  const context = yield* Effect.context<never>()
  const said: Array<Request> = []
  const logged: Array<unknown> = []
  const unreleased: Array<readonly [why: string, error: unknown]> = []
  const ends: Array<() => void> = []
  const deaths: Array<readonly [how: string, begun: number]> = []
  const shared = marks ? new Int32Array(slots + 1) : undefined
  const heard = { asked: 0, listener: undefined as Listener | undefined }
  const host = new Host(
    context,
    (listener) => {
      heard.listener = listener
      return {
        kind: marks ? "thread" : "process",
        marks: shared,
        post: (request) => {
          posted?.(request)
          said.push(request)
        },
        look: () => ({ utilisation: 0, given: undefined }),
        end: (done) => void ends.push(done)
      }
    },
    {
      logged: (entry) => void logged.push(entry),
      unreleased: (...said) => void unreleased.push(said),
      asked: () => void heard.asked++
    },
    isShared
  )
  host.onDeath = (error, begun) => void deaths.push([error.how, begun])
  const { died, response } = heard.listener!
  return {
    host,
    said,
    logged,
    unreleased,
    ends,
    deaths,
    heard,
    died,
    response,
    marks: shared!,
    ask: (what = "it", patience = forever) => begin(Effect.exit(host.ask(request, what, patience))),
    answer: (id: number) => response({ is: "outcome", id, outcome: same }),
    outcome: (id: number, outcome: Outcome) => response({ is: "outcome", id, outcome }),
    failed: (id: number, name: string) => response({ is: "done", id, error: { name, message: "no" } }),
    done: (id: number) => response({ is: "done", id })
  }
})

/** What it has said: to what, with which number, and in which slot. */
const askedOf = (said: ReadonlyArray<Request>) => said.flatMap((one) => one.to === "ask" ? [[one.id, one.slot]] : [])
const otherOf = (said: ReadonlyArray<Request>) => said.filter(({ to }) => to !== "ask").map(({ to }) => to)
const death = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof WorkerDied ? error.how : undefined
}

describe("what a place is asked", () => {
  it.effect("is answered by its number, in whatever order; the owner hears that something is asked", () =>
    Effect.gen(function*() {
      const { answer, ask, heard, host, outcome, said } = yield* placed()
      assert.deepStrictEqual([host.kind, host.inHand, host.begun, host.dead], ["thread", undefined, [], undefined])
      const one = yield* ask("one")
      const two = yield* ask("two")
      assert.deepStrictEqual(askedOf(said), [[0, -1], [1, -1]])
      assert.deepStrictEqual(said[0], { ...request, to: "ask", id: 0, slot: -1 })
      assert.strictEqual(heard.asked, 2)
      assert.deepStrictEqual(host.begun, ["one", "two"])
      outcome(1, { is: "nothing" })
      assert.isFalse(isOver(one))
      answer(0)
      // Said twice, or of nothing that is waited for: it is nothing to it.
      answer(0)
      answer(77)
      assert.deepStrictEqual(yield* Fiber.join(one), Exit.succeed(same))
      assert.deepStrictEqual(yield* Fiber.join(two), Exit.succeed<Outcome>({ is: "nothing" }))
      assert.deepStrictEqual([host.inHand, host.begun], [undefined, []])
    }))

  it.effect("changes what it has in hand when it is begun, and when it is answered", () =>
    Effect.gen(function*() {
      for (const marks of [true, false]) {
        const place = yield* placed({ isShared: true, marks })
        yield* place.ask("first")
        yield* place.ask("second")
        const seen = [place.host.inHand]
        if (marks) {
          Atomics.store(place.marks, 2, begun)
          Atomics.add(place.marks, 0, 1)
        } else place.response({ is: "begun", id: 1 })
        assert.deepStrictEqual(place.host.begun, ["second"])
        seen.push(place.host.inHand)
        // Of the other, of which nothing else is heard: what it has in hand is not that any more.
        place.answer(0)
        seen.push(place.host.inHand)
        yield* place.ask("third")
        place.answer(1)
        seen.push(place.host.inHand)
        assert.deepStrictEqual(place.host.begun, [])
        assert.strictEqual(new Set(seen).size, 4)
        assert.notInclude(seen, undefined)
        // Of one that is not waited for.
        place.response({ is: "begun", id: 1 })
        assert.deepStrictEqual(place.host.begun, [])
      }
    }))

  it.effect("has a mark of its own among others, which is free again once it is answered; beyond them it counts as begun", () =>
    Effect.gen(function*() {
      const { answer, ask, host, marks, said } = yield* placed({ isShared: true })
      marks.fill(begun)
      yield* ask("first")
      yield* ask("second")
      assert.deepStrictEqual(Array.from(marks.slice(1, 4)), [waiting, waiting, begun])
      Atomics.store(marks, 2, begun)
      answer(1)
      yield* ask("third")
      assert.deepStrictEqual(askedOf(said), [[0, 0], [1, 1], [2, 1]])
      assert.strictEqual(marks[2], waiting)
      assert.deepStrictEqual(host.begun, [])
      marks[0] = 77
      for (let id = 3; id < slots + 2; id++) yield* ask("more")
      const taken = askedOf(said).map(([, slot]) => slot)
      assert.deepStrictEqual([taken.length, new Set(taken).size, Math.max(...taken.map(Number))], [
        slots + 2,
        slots + 1,
        slots - 1
      ])
      assert.deepStrictEqual([taken.at(-1), marks[0], host.begun], [-1, 77, ["more"]])
      // What has no mark gives none back.
      answer(0)
      answer(slots + 1)
      yield* ask("last but one")
      yield* ask("last")
      assert.deepStrictEqual(askedOf(said).slice(-2), [[slots + 2, 0], [slots + 3, -1]])
    }))

  it.effect("and cannot be copied is said to be the payload or the state, and nothing waits", () =>
    Effect.gen(function*() {
      const posted = (sent: Request) => void structuredClone(sent)
      const place = yield* placed({ isShared: true, posted })
      const bad = (): void => {}
      const state = { version: 1, state: bad } as never
      const wrong = { of: "handler", tag: "Any", payload: bad, context: {} } as never
      for (
        const [given, what] of [
          [{ ...request, state }, "state"],
          [{ ...request, callback: wrong }, "payload"],
          [{ ...request, callback: wrong, state: { version: 1, state: "1" } as never }, "payload"]
        ] as const
      ) {
        const exit = yield* Effect.exit(place.host.ask(given, "it", forever))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, Uncrossable)
        assert.include(error, { what })
        assert.match(Object(error).issue, /could not be cloned/)
      }
      assert.deepStrictEqual([place.host.inHand, place.heard.asked], [undefined, 0])
      // What was marked is free.
      yield* place.ask()
      assert.deepStrictEqual(askedOf(place.said), [[3, 0]])
    }))

  it.effect("has its log heard, and a number for each incarnation that it serves, which it forgets", () =>
    Effect.gen(function*() {
      const { died, host, logged, response, said } = yield* placed()
      const entry = { is: "log", level: "Info", message: ["a"], annotations: {}, cause: undefined } as const
      response(entry)
      assert.deepStrictEqual(logged, [entry])
      assert.deepStrictEqual([host.seat(), host.seat()], [0, 1])
      host.forget(1)
      assert.deepStrictEqual(said, [{ to: "forget", seat: 1 }])
      died("is gone")
      host.forget(0)
      assert.lengthOf(said, 1)
    }))
})

describe("what other code posts to its parent", () => {
  it("is no word of its own", () => {
    for (const is of ["done", "outcome", "begun", "pong", "up", "dying", "log"]) {
      assert.isTrue(isResponse({ is, id: 0 }))
    }
    for (const is of ["else", "toString", "", undefined, ["log"], 5]) assert.isFalse(isResponse({ is }))
    for (const message of [undefined, null, "log", 5, [], {}]) assert.isFalse(isResponse(message))
  })
})

describe("the death of a place", () => {
  it.effect("is its owner's to hear first; what was begun falls with it, and the rest is handed back", () =>
    Effect.gen(function*() {
      for (const marks of [true, false]) {
        const place = yield* placed({ isShared: true, marks })
        const waiters = [yield* place.ask("a"), yield* place.ask("b"), yield* place.ask("c")]
        if (marks) Atomics.store(place.marks, 2, begun)
        else place.response({ is: "begun", id: 1 })
        place.host.onDeath = (error, begun) => {
          assert.deepStrictEqual([error.how, error.place, begun], ["fell", place.host.kind, 1])
          assert.strictEqual(place.host.dead, error)
          assert.deepStrictEqual([place.host.inHand, waiters.some(isOver)], [undefined, false])
          place.deaths.push([error.how, begun])
        }
        place.died("fell", "of this")
        // What is heard of it afterwards is nothing to it.
        place.died("fell again")
        place.answer(0)
        const [a, b, c] = yield* Effect.forEach(waiters, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual([a, c], [Exit.succeed(unbegun), Exit.succeed(unbegun)])
        assert.deepStrictEqual([death(b!), place.deaths.length], ["fell", 1])
        assert.strictEqual(place.host.dead?.cause, "of this")
        // Asked again it hands back at once, and says nothing to the dead one.
        assert.deepStrictEqual(yield* Effect.exit(place.host.ask(request, "it", forever)), Exit.succeed(unbegun))
        assert.deepStrictEqual([askedOf(place.said).length, place.heard.asked], [3, 3])
      }
    }))

  it.effect("takes all along that it was asked for one server, and whoever asks later hears of it", () =>
    Effect.gen(function*() {
      const { ask, deaths, died, host, said } = yield* placed({ marks: false })
      const waiter = yield* ask()
      died("fell")
      assert.strictEqual(death(yield* Fiber.join(waiter)), "fell")
      assert.deepStrictEqual(deaths, [["fell", 1]])
      assert.strictEqual(death(yield* Effect.exit(host.ask(request, "it", forever))), "fell")
      assert.deepStrictEqual([host.dead?.place, said.length], ["process", 1])
      assert.isFalse(Object.hasOwn(host.dead!, "cause"))
    }))

  it.effect("needs no owner", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      let died: Listener["died"] | undefined
      const host = new Host(
        context,
        (listener) => {
          died = listener.died
          return { kind: "thread", marks: undefined, post: () => {}, look: () => Object(0), end: () => {} }
        },
        { logged: () => {}, unreleased: () => {}, asked: () => {} },
        false
      )
      const waiter = yield* begin(Effect.exit(host.ask(request, "it", forever)))
      died?.("fell")
      assert.strictEqual(death(yield* Fiber.join(waiter)), "fell")
    }))
})

describe("what is loaded and built in a place", () => {
  it.effect("is asked for once, by all who need it, and later not at all", () =>
    Effect.gen(function*() {
      const { died, done, host, said } = yield* placed()
      const loading = [host.load("file:a", "test/A"), host.load("file:a", "test/A"), host.load("file:b", "test/A")]
      const fibers = yield* Effect.forEach(loading, begin)
      const serving = yield* begin(host.serve("test/A"))
      assert.deepStrictEqual(said, [
        { to: "load", id: 0, url: "file:a" },
        { to: "load", id: 1, url: "file:b" },
        { to: "serve", id: 2, server: "test/A" }
      ])
      assert.deepStrictEqual(host.begun, ["load file:a", "load file:b", "serve test/A"])
      done(0)
      yield* Fiber.join(fibers[0]!)
      yield* Fiber.join(fibers[1]!)
      assert.deepStrictEqual([isOver(fibers[2]!), isOver(serving)], [false, false])
      done(2)
      yield* Fiber.join(serving)
      yield* Effect.andThen(host.load("file:a", "test/A"), host.serve("test/A"))
      assert.lengthOf(said, 3)
      died("fell")
      const late = yield* Effect.flip(host.load("file:a", "test/A"))
      assert.deepInclude(late, { at: "start", server: "test/A", cause: host.dead })
    }))

  it.effect("fails all who wait with what failed, and is asked for again by the next one", () =>
    Effect.gen(function*() {
      const { died, failed, host, said } = yield* placed()
      const errorOf = Effect.fnUntraced(function*(end: () => void, ...waiters: ReadonlyArray<typeof loading>) {
        const fibers = yield* Effect.forEach(waiters, (one) => begin(Effect.flip(one)))
        end()
        const errors = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
        assert.isTrue(errors.every((error) => error instanceof WorkerFailed && error === errors[0]))
        return errors[0]!
      })
      const loading = host.load("file:a", "test/A")
      const module = yield* errorOf(() => failed(0, "RangeError"), loading, loading)
      assert.deepInclude(module, { at: "module", server: "test/A", place: "thread" })
      assert.deepInclude(Object(module.cause), { name: "RangeError", message: "no" })
      const layer = yield* errorOf(() => failed(1, "RangeError"), host.serve("test/A"))
      assert.deepInclude(layer, { at: "layer" })
      // No layer is to blame where the module has no entry.
      assert.deepInclude(yield* errorOf(() => failed(2, "NoEntry"), host.serve("test/A")), { at: "module" })
      const dead = yield* errorOf(() => died("fell"), host.load("file:a", "test/A"), host.load("file:a", "test/A"))
      assert.deepInclude(dead, { at: "module", cause: host.dead })
      assert.deepStrictEqual(said.map(({ to }) => to), ["load", "serve", "serve", "load"])
    }))
})

describe("the end of a place", () => {
  it.effect("is in order when it is at nothing, and its owner waits until it is gone", () =>
    Effect.gen(function*() {
      const { died, done, ends, host, said } = yield* placed()
      const ending = yield* begin(host.end(5000))
      assert.deepStrictEqual(said, [{ to: "end", id: 0 }])
      assert.deepStrictEqual([ends.length, host.dead, host.begun], [0, undefined, ["its end"]])
      done(0)
      yield* Effect.yieldNow
      assert.deepStrictEqual([host.dead?.how, ends.length, isOver(ending)], ["was ended", 1, false])
      ends[0]!()
      yield* Fiber.join(ending)
      died("exited")
      assert.strictEqual(host.dead?.how, "was ended")
    }))

  it.effect("is one all the same when its time is over, or it dies meanwhile", () =>
    Effect.gen(function*() {
      const slow = yield* placed()
      const ending = yield* begin(slow.host.end(5000))
      yield* TestClock.adjust(4999)
      assert.lengthOf(slow.ends, 0)
      yield* TestClock.adjust(1)
      assert.lengthOf(slow.ends, 1)
      // One that does not go is waited for as long again, and no longer.
      yield* TestClock.adjust(4999)
      assert.isFalse(isOver(ending))
      yield* TestClock.adjust(1)
      assert.isTrue(isOver(ending))
      const dying = yield* placed()
      yield* begin(dying.host.end(5000))
      dying.died("fell")
      yield* Effect.yieldNow
      assert.deepStrictEqual([dying.host.dead?.how, dying.ends.length], ["fell", 1])
    }))

  it.effect("is a kill at once when it is at something, is dead, or has no time", () =>
    Effect.gen(function*() {
      for (const what of ["busy", "dead", "hurried"] as const) {
        const { ask, died, ends, host, said } = yield* placed()
        const waiter = what === "busy" ? yield* ask() : undefined
        if (what === "dead") died("fell")
        const ending = yield* begin(host.end(what === "hurried" ? 0 : 10))
        assert.deepStrictEqual([otherOf(said), ends.length], [[], 1])
        if (waiter !== undefined) assert.strictEqual(death(yield* Fiber.join(waiter)), "was ended")
        // It has a second to go, however little time it was given.
        yield* TestClock.adjust(999)
        assert.isFalse(isOver(ending))
        yield* TestClock.adjust(1)
        assert.isTrue(isOver(ending))
      }
    }))

  it.effect("leaves no timer behind, and a millisecond is time enough to be in order", () =>
    Effect.gen(function*() {
      const { clock, seen } = standing(yield* Clock.Clock)
      const { done, ends, host, said } = yield* Effect.provideService(placed(), Clock.Clock, clock)
      const ending = yield* begin(host.end(1))
      assert.deepStrictEqual([said.map(({ to }) => to), ends.length], [["end"], 0])
      done(0)
      yield* Effect.yieldNow
      assert.strictEqual(seen.givenUp, 1)
      ends[0]!()
      yield* Fiber.join(ending)
      assert.strictEqual(seen.givenUp, 2)
    }))

  it.effect("says what was not released: too late, dead before that, or a finalizer that failed", () =>
    Effect.gen(function*() {
      const ended = Effect.fnUntraced(function*(end: (place: Effect.Success<ReturnType<typeof placed>>) => unknown) {
        const place = yield* placed()
        yield* begin(place.host.end(5000))
        end(place)
        yield* TestClock.adjust(5000)
        assert.lengthOf(place.ends, 1)
        return place.unreleased
      })
      assert.deepStrictEqual(yield* ended(({ done }) => done(0)), [])
      assert.deepStrictEqual(yield* ended(() => {}), [["within 5000 ms", undefined]])
      assert.deepStrictEqual(yield* ended(({ died }) => died("fell", "of this")), [["since it fell", "of this"]])
      const [failed] = yield* ended(({ failed }) => failed(0, "RangeError"))
      assert.deepStrictEqual([failed?.[0], Object(failed?.[1]).name], ["", "RangeError"])
    }))

  it.effect("of a kill says how, and waits five seconds", () =>
    Effect.gen(function*() {
      const { ask, deaths, ends, host } = yield* placed()
      const waiter = yield* ask()
      const killing = yield* begin(host.kill("was too slow"))
      assert.strictEqual(death(yield* Fiber.join(waiter)), "was too slow")
      assert.deepStrictEqual([deaths, ends.length], [[["was too slow", 1]], 1])
      yield* TestClock.adjust(4999)
      assert.isFalse(isOver(killing))
      yield* TestClock.adjust(1)
      assert.isTrue(isOver(killing))
    }))
})

describe("an interruption", () => {
  it.effect("calls a message back that was not begun: nothing is said, and nothing waited for", () =>
    Effect.gen(function*() {
      const { ask, host, marks, outcome, said } = yield* placed({ isShared: true })
      const waiter = yield* ask("first", () => assert.fail("there is nothing to wait for"))
      yield* ask("second")
      yield* Fiber.interrupt(waiter)
      assert.isTrue(isInterrupted(waiter))
      assert.deepStrictEqual([otherOf(said), marks[1], host.dead], [[], calledBack, undefined])
      // Its mark is its own until the thread says that it has seen that.
      yield* ask("third")
      outcome(0, { is: "interrupted" })
      yield* ask("fourth")
      assert.deepStrictEqual(askedOf(said), [[0, 0], [1, 1], [2, 2], [3, 0]])
      assert.strictEqual(marks[1], waiting)
    }))

  it.effect("of one that was begun, or may have been, is said there, and waits for its end", () =>
    Effect.gen(function*() {
      for (const kind of [{ isShared: true }, { isShared: false }, { isShared: true, marks: false }]) {
        const place = yield* placed(kind)
        const waiter = yield* place.ask("it", () => 100)
        if (kind.marks === false) place.response({ is: "begun", id: 0 })
        else if (kind.isShared) Atomics.store(place.marks, 1, begun)
        const interrupting = yield* begin(Fiber.interrupt(waiter))
        assert.deepStrictEqual(place.said.at(-1), { to: "interrupt", id: 0 })
        yield* TestClock.adjust(99)
        assert.isFalse(isOver(interrupting))
        place.outcome(0, { is: "interrupted" })
        yield* Fiber.join(interrupting)
        assert.isTrue(isInterrupted(waiter))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([place.host.dead, place.ends.length], [undefined, 0])
      }
    }))

  it.effect("that is not heard in time ends the place, and what else was begun there falls with it", () =>
    Effect.gen(function*() {
      for (const isShared of [true, false]) {
        const { ask, ends, host, marks } = yield* placed({ isShared })
        const waiter = yield* ask("it", () => 100)
        const other = yield* ask("other")
        if (isShared) marks.fill(begun, 1)
        const interrupting = yield* begin(Fiber.interrupt(waiter))
        yield* TestClock.adjust(99)
        assert.isUndefined(host.dead)
        yield* TestClock.adjust(1)
        const how = "was ended, since a handler did not end when it was interrupted"
        assert.strictEqual(death(yield* Fiber.join(other)), how)
        assert.isFalse(isOver(interrupting))
        ends[0]!()
        yield* Fiber.join(interrupting)
      }
    }))

  it.effect("without patience ends it at once; one with all of it never does", () =>
    Effect.gen(function*() {
      const { clock } = standing(yield* Clock.Clock)
      for (const millis of [0, 1]) {
        const { ask, ends } = yield* Effect.provideService(placed(), Clock.Clock, clock)
        const waiter = yield* ask("it", () => millis)
        yield* begin(Fiber.interrupt(waiter))
        yield* Effect.yieldNow
        assert.lengthOf(ends, 1 - millis)
      }
      const patient = yield* placed()
      const waiting = yield* patient.ask("it")
      const interrupting = yield* begin(Fiber.interrupt(waiting))
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual([isOver(interrupting), patient.host.dead], [false, undefined])
      patient.answer(0)
      yield* Fiber.join(interrupting)
    }))

  it.effect("of one that a process may not have begun waits for as long, and ends nothing", () =>
    Effect.gen(function*() {
      const { ask, host, said } = yield* placed({ isShared: true, marks: false })
      const waiter = yield* ask("it", () => 100)
      yield* begin(Fiber.interrupt(waiter))
      assert.deepStrictEqual(otherOf(said), ["interrupt"])
      yield* TestClock.adjust(100)
      assert.isTrue(isInterrupted(waiter))
      assert.isUndefined(host.dead)
    }))

  it.effect("by whoever hears of the death first finds nothing more to say", () =>
    Effect.gen(function*() {
      const { ask, died, host, said } = yield* placed()
      const waiter = yield* ask()
      host.onDeath = () => waiter.interruptUnsafe()
      died("fell")
      yield* Fiber.await(waiter)
      assert.isTrue(isInterrupted(waiter))
      assert.lengthOf(said, 1)
    }))

  it.effect("of many that were not begun leaves nothing of their callers, though the place says nothing", () =>
    Effect.gen(function*() {
      const { ask, host } = yield* placed({ isShared: true })
      const waiters: Array<WeakRef<object>> = []
      for (let i = 0; i < 200; i++) {
        const waiter = yield* ask()
        waiters.push(new WeakRef(waiter))
        yield* Fiber.interrupt(waiter)
      }
      assert.isBelow(yield* reachable(waiters, 20), 20)
      assert.isUndefined(host.dead)
    }))
})
