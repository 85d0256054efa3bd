import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { killed, normal, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { Process, Restart, Supervisor } from "../../../../src/index.ts"
import { boom, listing, probe, recipe, Script, top } from "../../../kit/Probe.ts"

const some = Restart.intensity({ restarts: 2, within: "1 hour" })

/** What a group did, without the crash and the restarts that were announced. */
const steps = (lines: ReadonlyArray<string>) =>
  lines.filter((line) => line.startsWith("Started") || line.endsWith("shutdown"))

describe("one_for_all", () => {
  it.effect("replaces every child, in reverse and in order, for one restart of the budget; the third crash is the end", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { supervisor, take } = yield* top({ strategy: "one_for_all", restart: some }, probe("a", a), probe("b", b))
      take()
      a.end()
      assert.deepStrictEqual(take(), [
        "Exited a#1 crashed: boom",
        "Restarting a in 0",
        "Exited b#1 shutdown",
        "Started a#2",
        "Started b#2"
      ])
      b.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#3", "b#3"])
      b.end()
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
      assert.deepStrictEqual(take().slice(-3), ["Exited b#3 crashed: boom", "GaveUp top on b", "Exited a#3 shutdown"])
    }))

  it.effect("a sibling that fails to come back: those already back are stopped, and all is done again", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { reports, supervisor, take } = yield* top(
        { strategy: "one_for_all", restart: some },
        probe("a", a),
        probe("b", b),
        probe("c")
      )
      take()
      b.starts.push("fail")
      a.end()
      assert.deepStrictEqual(take().slice(4), [
        "Started a#2",
        "StartFailed b#2 crashed: no",
        "Restarting b in 0",
        "Exited a#2 shutdown",
        "Started a#3",
        "Started b#3",
        "Started c#2"
      ])
      assert.deepStrictEqual(reports(), [
        "a#1: it is restarted",
        "b#2: another attempt, if the budget allows"
      ])
      assert.deepStrictEqual(yield* listing(supervisor), ["a#3", "b#3", "c#2"])
    }))

  it.effect("children stopped on purpose and finished transients stay down; a temporary one is forgotten", () =>
    Effect.gen(function*() {
      const a = new Script()
      const done = new Script()
      const { supervisor } = yield* top(
        { strategy: "one_for_all" },
        probe("a", a),
        probe("stopped"),
        probe("done", done, { restart: "transient" }),
        probe("temporary", undefined, { restart: "temporary" })
      )
      yield* supervisor.terminateChild("stopped")
      done.finish()
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "stopped stopped", "done stopped"])
      assert.deepStrictEqual(done.fates, ["finished"])
    }))

  it.effect("waits the delay between stopping and starting, and answers meanwhile", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor } = yield* top(
        { strategy: "one_for_all", restart: Schedule.spaced("1 second") },
        probe("a", a),
        probe("b")
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a restarting", "b restarting"])
      yield* supervisor.terminateChild("b")
      yield* supervisor.startChild(recipe("c"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b stopped", "c#1"])
    }))
})

describe("rest_for_one", () => {
  it.effect("stops the rest newest first and starts them oldest first", () =>
    Effect.gen(function*() {
      const ch10 = new Script()
      const { supervisor, take } = yield* top(
        { strategy: "rest_for_one" },
        probe("ch7"),
        probe("ch3"),
        probe("ch10", ch10),
        probe("ch2"),
        probe("ch5")
      )
      take()
      ch10.end()
      assert.deepStrictEqual(steps(take()), [
        "Exited ch5#1 shutdown",
        "Exited ch2#1 shutdown",
        "Started ch10#2",
        "Started ch2#2",
        "Started ch5#2"
      ])
      assert.deepStrictEqual(yield* listing(supervisor), ["ch7#1", "ch3#1", "ch10#2", "ch2#2", "ch5#2"])
    }))

  it.effect("goes on from the child that failed to come back", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { supervisor } = yield* top({ strategy: "rest_for_one" }, probe("a", a), probe("b", b))
      b.starts.push("fail")
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b#3"])
    }))
})

describe("dependents", () => {
  it.effect("restarts the child and those that need it, and no other", () =>
    Effect.gen(function*() {
      const db = new Script()
      const { supervisor } = yield* top(
        { strategy: "dependents" },
        probe("db", db),
        probe("cache"),
        probe("users", undefined, { needs: ["db"] }),
        probe("mail"),
        probe("web", undefined, { needs: ["users", "cache"] })
      )
      db.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["db#2", "cache#1", "users#2", "mail#1", "web#2"])
      const refused = yield* Effect.flip(supervisor.startChild(recipe("x"), { needs: ["nobody"] }))
      assert.include(refused.message, "was given \"nobody\" as needs")
    }))

  it.effect("refuses a child that comes before one it needs, in a tree that is made at run time, too", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top({ strategy: "one_for_one" })
      const needy = { ...recipe("web"), options: { needs: ["db"] } }
      const tree = (children: ReadonlyArray<ReturnType<typeof recipe>>) =>
        supervisor.startChild(Supervisor.recipe({ id: "tree", strategy: "dependents" }, children))
      const refused = yield* Effect.flip(tree([needy, recipe("db")]))
      assert.include(refused.message, "was given \"db\" as needs")
      const made = yield* tree([recipe("db"), needy])
      assert.deepStrictEqual(yield* listing(made), ["db#1", "web#1"])
    }))
})

describe("restart types", () => {
  for (const strategy of ["one_for_one", "one_for_all", "rest_for_one", "dependents"] as const) {
    it.effect(`under ${strategy}, whether a child's spec stays depends on its type and its end`, () =>
      Effect.gen(function*() {
        const outcome = Effect.fnUntraced(function*(
          restart: "permanent" | "transient" | "temporary",
          end: "terminate" | "kill" | "normal" | "abnormal"
        ) {
          const script = new Script()
          const { supervisor } = yield* top({ strategy })
          yield* supervisor.startChild(recipe("a", script, { restart }))
          if (end === "terminate") yield* supervisor.terminateChild("a")
          else script.end(end === "kill" ? killed : end === "normal" ? normal : boom)
          return yield* supervisor.startChild(recipe("a")).pipe(
            Effect.as("started"),
            Effect.catch(({ reason }) => Effect.succeed(reason._tag))
          )
        })
        const table: Record<string, ReadonlyArray<string>> = {}
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          table[restart] = yield* Effect.forEach(
            ["terminate", "normal", "kill", "abnormal"] as const,
            (end) => outcome(restart, end)
          )
        }
        assert.deepStrictEqual(table, {
          permanent: ["AlreadyPresent", "AlreadyStarted", "AlreadyStarted", "AlreadyStarted"],
          transient: ["AlreadyPresent", "AlreadyPresent", "AlreadyStarted", "AlreadyStarted"],
          temporary: ["started", "started", "started", "started"]
        })
      }))
  }
})

describe("significant children", () => {
  it.effect("a transient one that finishes ends the supervisor in order, and its siblings before", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { reports, supervisor, take } = yield* top(
        { strategy: "one_for_one", autoShutdown: "any_significant" },
        probe("a", a, { restart: "transient", significant: true }),
        probe("b")
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b#1"])
      take()
      a.finish()
      assert.deepStrictEqual(take(), ["Exited a#2 normal", "Exited b#1 shutdown"])
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
      assert.strictEqual(supervisor[Process.processOf].lastExit?._tag, shutdown._tag)
      assert.deepStrictEqual(reports(), ["a#1: it is restarted"])
    }))

  it.effect("all_significant waits for the last of them", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const significant = { restart: "temporary", significant: true } as const
      const { supervisor } = yield* top(
        { strategy: "one_for_one", autoShutdown: "all_significant" },
        probe("a", a, significant),
        probe("b", b, significant),
        probe("c")
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["b#1", "c#1"])
      yield* supervisor.terminateChild("b")
      assert.deepStrictEqual(yield* listing(supervisor), ["c#1"], "stopping one on purpose ends nothing")
    }))
})

describe("parking", () => {
  it.effect("keeps the child when the budget is spent; resuming starts it with the budget anew", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { reports, supervisor, take } = yield* top(
        { strategy: "one_for_one", onGiveUp: "park", restart: Restart.intensity({ restarts: 1, within: "1 minute" }) },
        probe("a", a),
        probe("b")
      )
      take()
      a.end()
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a parked", "b#1"])
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 1, supervisors: 0, workers: 2 })
      yield* supervisor.resumeChild("a")
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["a#4", "b#1"])
      assert.deepStrictEqual(a.fates, ["restarting", "parked", "restarting", "restarting"])
      assert.deepStrictEqual(reports(), [
        "a#1: it is restarted",
        "a#2: it is parked until it is resumed",
        "a#3: it is restarted"
      ])
      assert.deepStrictEqual(take().slice(4, 8), [
        "GaveUp top on a",
        "Parked a#2",
        "Resumed a#2",
        "Started a#3"
      ])
    }))
})
