/** What a runner has of one key: with no cluster around it, and no server behind it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { CallError, callError, type CallErrorReason } from "../../../../src/domain/process/CallError.ts"
import { crashed, normal, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import { type Estate, Tenant } from "../../../../src/layers/placement/cluster/Tenant.ts"
import { processOf } from "../../../../src/layers/process/Process.ts"
import { ServerProcess } from "../../../../src/layers/server/engine/ServerProcess.ts"
import { StartError } from "../../../../src/layers/supervision/tree/SupervisorErrors.ts"
import type { Supervisor } from "../../../../src/layers/supervision/tree/SupervisorHandle.ts"

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkDetach(Effect.exit(effect), { startImmediately: true })
const wrong = (exit: Exit.Exit<unknown, unknown>): any => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
const boom = crashed(Cause.die("boom"))

/** Its store refused what it did, since another has the key, or all of the store. */
const taken = (key: string | undefined): CallErrorReason & { readonly cause: Cause.Cause<unknown> } => {
  const reason = { _tag: "Fenced", epoch: 1, current: 2, ...(key === undefined ? {} : { key }) } as const
  const error = new StoreError({ store: "memory", operation: "save", reason: reason as never })
  return { _tag: "NotConserved", cause: Cause.fail(error) }
}

/** A tenant of the key `a`, whose server, and its supervisor, are what the test says. */
const tenanted = Effect.fnUntraced(function*() {
  const clock = yield* Clock.Clock
  const server = { status: "running", isLeaving: false }
  const ref: any = { [processOf]: Object.create(ServerProcess.prototype) }
  Object.defineProperties(ref[processOf], {
    status: { get: () => server.status },
    isLeaving: { get: () => server.isLeaving }
  })
  const above: { status: string; lastExit: unknown } = { status: "running", lastExit: undefined }
  const stopped: Array<unknown> = []
  const supervisor = {
    [processOf]: above,
    stop: (reason: unknown) => Effect.sync(() => void stopped.push(reason))
  } as unknown as Supervisor
  const run = {
    isOurs: true,
    asked: [] as Array<ReadonlyArray<unknown>>,
    start: Effect.succeed(ref) as Effect.Effect<any, StartError>
  }
  const estate: Estate = {
    of: "test/Till",
    clock,
    downFor: 1000,
    at: (...args) =>
      Effect.suspend(() => {
        run.asked.push(args)
        tenant.made(supervisor)
        return run.start
      })
  }
  const tenant: Tenant = new Tenant(estate, "a", () => run.isOurs)
  const ask = (millis = 500) => tenant.server("Add", millis)
  const refused = (millis?: number) =>
    Effect.map(Effect.flip(ask(millis)), (error): CallErrorReason => {
      assert.deepInclude(error, { server: "test/Till/a", request: "Add" })
      return error.reason
    })
  return { tenant, run, ref, server, above, supervisor, stopped, ask, refused }
})

const movedAway = { _tag: "Unreachable", why: "moved", begun: false } as const

describe("the server of a key", () => {
  it.effect("is started when it is first needed, and is at hand for as long as it is well, and is its runner's", () =>
    Effect.gen(function*() {
      const { above, ask, ref, run, server, tenant } = yield* tenanted()
      assert.deepStrictEqual([tenant.name, tenant.key, tenant.here], ["test/Till/a", "a", undefined])
      assert.strictEqual(yield* ask(), ref)
      assert.deepStrictEqual(run.asked, [["a"]])
      assert.strictEqual(tenant.here, ref)
      assert.strictEqual(yield* ask(), ref)
      assert.lengthOf(run.asked, 1)
      const faults: ReadonlyArray<readonly [() => void, () => void]> = [
        [() => void (run.isOurs = false), () => void (run.isOurs = true)],
        [() => void (above.status = "stopped"), () => void (above.status = "running")],
        [() => void (server.status = "stopped"), () => void (server.status = "running")],
        [() => void (server.isLeaving = true), () => void (server.isLeaving = false)],
        [() => void (tenant.isClosed = true), () => void (tenant.isClosed = false)]
      ]
      for (const [harm, heal] of faults) {
        harm()
        assert.isUndefined(tenant.here)
        heal()
        assert.strictEqual(tenant.here, ref)
      }
      // One that is no server of this engine's is none that a message may be handed to.
      Object.setPrototypeOf(ref[processOf], null)
      assert.isUndefined(tenant.here)
    }))

  it.effect("is another runner's where the shard is, or the entity is closed: none is started", () =>
    Effect.gen(function*() {
      const { refused, run, tenant } = yield* tenanted()
      run.isOurs = false
      assert.deepStrictEqual(yield* refused(), movedAway)
      run.isOurs = true
      tenant.isClosed = true
      assert.deepStrictEqual(yield* refused(), movedAway)
      assert.lengthOf(run.asked, 0)
    }))

  it.effect("is waited for as long as its caller waits, and for ever where that does; one that is up, as long as it takes", () =>
    Effect.gen(function*() {
      const { ask, run, server, ref, tenant } = yield* tenanted()
      run.start = Effect.never
      const waiting = yield* begin(ask(500))
      const patient = yield* begin(ask(Infinity))
      yield* TestClock.adjust(499)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      const reason = wrong(yield* Fiber.join(waiting)).reason
      assert.deepStrictEqual(reason, { _tag: "Timeout", millis: 500, begun: false, waitsFor: "start" })
      yield* TestClock.adjust("1 day")
      assert.isUndefined(patient.pollUnsafe())
      assert.isUndefined(tenant.here)
      run.start = Effect.succeed(ref)
      yield* ask()
      // It is restarted below its supervisor, which is up.
      server.status = "restarting"
      run.start = Effect.as(Effect.sleep("1 minute"), ref)
      const restarted = yield* begin(ask(500))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(restarted), Exit.succeed(ref))
    }))

  it.effect("that does not start says why, unless it is on its way to another runner", () =>
    Effect.gen(function*() {
      const { refused, run, tenant } = yield* tenanted()
      const failed = (reason: StartError["reason"]) => new StartError({ supervisor: "Till", child: "a", reason })
      const error = failed({ _tag: "Failed", cause: Cause.die("boom") })
      run.start = Effect.fail(error)
      const reason = yield* refused()
      assert.deepStrictEqual(reason, { _tag: "Unreachable", why: "start", begun: false, detail: error.message })
      run.start = Effect.fail(failed({ _tag: "Stopped" }))
      assert.deepStrictEqual(yield* refused(), movedAway)
      run.start = Effect.suspend(() => {
        tenant.isClosed = true
        return Effect.fail(error)
      })
      assert.deepStrictEqual(yield* refused(), movedAway)
    }))

  it.effect("that has crashed too often is down for as long as was said, from when that was seen; one that has ended is not", () =>
    Effect.gen(function*() {
      const { above, ask, refused, run, tenant } = yield* tenanted()
      yield* ask()
      above.status = "stopped"
      for (const lastExit of [undefined, normal, shutdown]) {
        above.lastExit = lastExit
        yield* ask()
      }
      assert.lengthOf(run.asked, 4)
      above.lastExit = boom
      assert.deepStrictEqual(yield* refused(), { _tag: "NotRunning", again: 1000 })
      yield* TestClock.adjust(400)
      assert.deepStrictEqual(yield* refused(), { _tag: "NotRunning", again: 600 })
      assert.isUndefined(tenant.here)
      yield* TestClock.adjust(599)
      assert.deepStrictEqual(yield* refused(), { _tag: "NotRunning", again: 1 })
      assert.lengthOf(run.asked, 4)
      yield* TestClock.adjust(1)
      // The one that has given up is not looked at again, however long the next one takes to come up.
      run.start = Effect.never
      const starting = yield* begin(ask(Infinity))
      const other = yield* begin(ask(Infinity))
      assert.deepStrictEqual([starting.pollUnsafe(), other.pollUnsafe(), run.asked.length], [undefined, undefined, 6])
    }))

  it.effect("that gives up again is down for as long again", () =>
    Effect.gen(function*() {
      const { above, ask, refused, run, server } = yield* tenanted()
      yield* ask()
      above.lastExit = boom
      // What has crashed once and is up is no server that is down, nor is one that will never start as things are.
      server.status = "restarting"
      yield* ask()
      server.status = "running"
      above.status = "stopped"
      above.lastExit = crashed(taken("a").cause)
      yield* ask()
      assert.lengthOf(run.asked, 3)
      above.lastExit = boom
      above.status = "stopped"
      yield* refused()
      yield* TestClock.adjust(1000)
      yield* ask()
      assert.deepStrictEqual(yield* refused(), { _tag: "NotRunning", again: 1000 })
    }))
})

describe("the end of an entity", () => {
  it.effect("ends its server's supervisor in order, and none is made after that", () =>
    Effect.gen(function*() {
      const { stopped, supervisor, tenant } = yield* tenanted()
      tenant.made(supervisor)
      yield* tenant.close
      assert.deepStrictEqual([tenant.isClosed, stopped], [true, [{ _tag: "Shutdown" }]])
      assert.throws(() => tenant.made(supervisor), "the entity of test/Till/a is closed here")
      const none = yield* tenanted()
      yield* none.tenant.close
      assert.deepStrictEqual([none.tenant.isClosed, none.stopped], [true, []])
    }))

  it.effect("leaves a message to the next server of its key only where that is started here", () =>
    Effect.gen(function*() {
      const { ref, run, tenant } = yield* tenanted()
      const asker = yield* begin(Effect.void)
      assert.strictEqual(yield* tenant.next(asker), ref)
      assert.deepStrictEqual(run.asked, [["a", asker]])
      for (const [isOurs, isClosed] of [[false, false], [true, true]] as const) {
        run.isOurs = isOurs
        tenant.isClosed = isClosed
        const error = yield* Effect.flip(tenant.next(undefined))
        assert.deepInclude(error, { supervisor: "test/Till", child: "a", reason: { _tag: "Stopped" } })
      }
      assert.lengthOf(run.asked, 1)
    }))
})

describe("what the failure of a call means elsewhere", () => {
  it.effect("is what it says, unless the key was taken over, or its entity is closed", () =>
    Effect.gen(function*() {
      const { tenant } = yield* tenanted()
      const meaning = (reason: CallErrorReason, server = "it") => {
        const error = callError(server, "Add", reason)
        const known = tenant.elsewhere(error, "it")
        if (known === error) return "the same"
        assert.instanceOf(known, CallError)
        assert.deepInclude(known, { server: "test/Till/a", request: "Add" })
        return known.reason
      }
      const moved = { _tag: "Unreachable", why: "moved" } as const
      const crash: CallErrorReason = { _tag: "Crashed", cause: Cause.die("boom") } as never
      const ended: CallErrorReason = { _tag: "NotRunning" }
      assert.deepStrictEqual(meaning(taken("a")), { ...moved, begun: true })
      assert.strictEqual(meaning(taken(undefined)), "the same")
      assert.strictEqual(meaning(taken("a"), "another"), "the same")
      assert.strictEqual(meaning({ _tag: "Crashed", cause: taken("a").cause } as never), "the same")
      assert.strictEqual(meaning(ended), "the same")
      tenant.isClosed = true
      assert.deepStrictEqual(meaning(ended), { ...moved, begun: false })
      assert.strictEqual(meaning(ended, "another"), "the same")
      assert.strictEqual(meaning(crash), "the same")
      assert.deepStrictEqual(meaning(taken("a")), { ...moved, begun: true })
      const own = { _tag: "Broke" }
      assert.strictEqual(tenant.elsewhere(own, "it"), own)
    }))
})
