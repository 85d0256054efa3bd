/**
 * Other systems' cases of starting dynamic children: every result of a start, specs that are refused, listing and
 * counting.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { type GenServer, Next, Process, Supervisor } from "../../../../src/index.ts"
import { garbled, scripted, start, Sup } from "../../../kit/DynamicFamily.ts"
import { refusal } from "../../../kit/Failures.ts"
import { child, count, died, ignoring, list, published, testCase } from "../../../kit/Family.ts"

describe("dynamic supervisor: starting", () => {
  testCase(
    "DYN-001 Ignored temporary dynamic child is not kept",
    Effect.gen(function*() {
      const sup = yield* start()
      const first = yield* sup.startChildInfo(ignoring("child1", { restart: "temporary" }))
      const second = yield* sup.startChildInfo(child("child2", { restart: "temporary" }))
      assert.deepStrictEqual([first.started, second.started], [{ _tag: "Ignored" }, { _tag: "Started" }])
      const [listed, ...others] = yield* sup.whichChildren
      assert.deepStrictEqual([listed?.process, others], [second.ref[Process.processOf], []])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
    })
  )

  testCase(
    "DYN-004 Reading spec and entry of a dynamic child by handle",
    Effect.gen(function*() {
      const [sup, other] = [yield* start(), yield* start({ id: "other" })]
      const ids = ["h1", "h2", "h3"]
      const handles = yield* Effect.forEach(ids, (id) => sup.startChild(child(id, { restart: "temporary" })))
      const template = { kind: "worker", restart: "temporary", shutdown: 5000, significant: false, needs: [] } as const
      const entries = ids.map((id, i): Supervisor.ChildInfo => ({
        id,
        kind: "worker",
        status: "running",
        spec: { id, ...template },
        process: handles[i]![Process.processOf]
      }))
      assert.deepStrictEqual(yield* Effect.forEach(handles, (ref) => sup.whichChild(ref)), entries)
      assert.deepStrictEqual(yield* sup.whichChildren, entries)
      const foreign = yield* other.startChild(child("foreign"))
      assert.strictEqual(yield* refusal(sup.whichChild(foreign)), "NotFound")

      const [h1, h2] = handles
      yield* sup.terminateChild(h1!)
      assert.strictEqual(yield* refusal(sup.whichChild(h1!)), "NotFound")
      assert.deepStrictEqual(yield* sup.whichChild(h2!), entries[1])
      // @ts-expect-error: what is no handle does not compile
      assert.include(String(yield* Effect.exit(sup.whichChild("h2"))), "as a reference: it must be a process")
    })
  )

  testCase(
    "DYN-008 Listing and counting dynamic children",
    Effect.gen(function*() {
      const sup = yield* start()
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [[], [0, 0, 0, 0]])
      yield* sup.startChild(child("child1", { shutdown: 1000 }))
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [["child1 -> 1"], [1, 1, 0, 1]])
      yield* sup.startChild(child("child2", { shutdown: 1000 }))
      assert.deepStrictEqual([yield* list(sup), yield* count(sup)], [["child1 -> 1", "child2 -> 1"], [2, 2, 0, 2]])

      // A supervisor that was never started does not compile, one that is gone refuses.
      const asked = Effect.flatMap(Sup, (unknown) => unknown.startChild(child("child3")))
      // @ts-expect-error: it is not provided
      const unprovided: Effect.Effect<unknown, unknown> = asked
      assert.include(String(yield* Effect.exit(unprovided)), "Service not found: sup")
      yield* sup.stop()
      assert.strictEqual(yield* refusal(sup.startChild(child("child3"))), "NotRunning")
    })
  )

  testCase(
    "DYN-010 id-based operations do not exist on a dynamic supervisor",
    Effect.gen(function*() {
      const sup = yield* start()
      yield* sup.startChild(child("child1"))
      // @ts-expect-error: a child is known by its reference
      assert.include(String(yield* Effect.exit(sup.terminateChild("child1"))), "as a reference: it must be a process")
      assert.notProperty(sup, "restartChild" satisfies Exclude<"restartChild", keyof typeof sup>)
      assert.notProperty(sup, "deleteChild" satisfies Exclude<"deleteChild", keyof typeof sup>)
      // Standing in for a static supervisor it has them, and knows no child by id.
      const { deleteChild, restartChild, terminateChild } = sup.asSupervisor
      for (const ask of [terminateChild, restartChild, deleteChild]) {
        assert.strictEqual(yield* refusal(ask("child1")), "NotFound")
      }
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 1"])
    })
  )

  testCase(
    "DYN-013 Extra start information with automatic restart",
    Effect.gen(function*() {
      const sup = yield* start()
      const extra = { init: Effect.succeed(Next.start("idle", { info: "extra_info" })) }
      const [one, two] = [yield* sup.startChildInfo(child("h1", extra)), yield* sup.startChildInfo(child("h2", extra))]
      const info = { _tag: "Started", info: "extra_info" }
      assert.deepStrictEqual([one.started, two.started], [info, info])
      yield* Process.exit(one.ref, died)
      assert.deepStrictEqual(yield* list(sup), ["h1 -> 2", "h2 -> 1"])
      yield* Process.exit(two.ref, died)
      assert.deepStrictEqual(yield* list(sup), ["h1 -> 2", "h2 -> 2"])
      yield* published
      yield* Process.exit(one.ref, died)
      assert.deepStrictEqual(yield* published, [
        "h1#2 exited: crashed: died",
        "h2#2 exited: shutdown",
        "sup#1 exited: gave up on h1: died"
      ])
    })
  )

  testCase(
    "DYN-029 Invalid dynamic child specs are rejected before the supervisor is contacted",
    Effect.gen(function*() {
      const sup = yield* start()
      yield* sup.stop()
      const valid = child("child1")
      const field = (recipe: unknown, spec?: GenServer.Options) =>
        // Past the type checker, as a recipe that was computed.
        Effect.map(
          Effect.flip(sup.startChild(recipe as Supervisor.StartRecipe<Process.HasProcess>, spec)),
          ({ reason }) => reason._tag === "InvalidOption" ? `${reason.option}: ${reason.expected}` : reason._tag
        )
      assert.strictEqual(yield* field({}), "id: a string that is not empty")
      assert.strictEqual(yield* field(undefined), "child: a start recipe")
      assert.strictEqual(
        yield* field({ ...valid, make: { nonsense: true } }),
        "make: the function that makes the child"
      )
      assert.include(yield* field(valid, { shutdown: -1 }), "shutdown: a duration of 0 or more")
      assert.include(yield* field(valid, { significant: true }), "significant: left out for a dynamic child")
      // A valid spec is refused because the supervisor is gone; so is one like it, whatever its start came to before.
      assert.strictEqual(yield* field(valid), "NotRunning")
      assert.include(yield* field({ ...valid, id: "" }), "id: a string that is not empty")
      assert.include(yield* field({ ...valid, make: undefined }), "make: the function that makes the child")
    })
  )

  testCase(
    "DYN-030 Every kind of start result",
    Effect.gen(function*() {
      const sup = yield* start()
      const extra = yield* sup.startChildInfo(
        child("a", { init: Effect.succeed(Next.start("idle", { info: "extra" })) })
      )
      const plain = yield* sup.startChildInfo(child("b"))
      const ignored = yield* sup.startChildInfo(ignoring("c"))
      assert.deepStrictEqual([extra, plain, ignored].map(({ started }) => started), [
        { _tag: "Started", info: "extra" },
        { _tag: "Started" },
        { _tag: "Ignored" }
      ])
      const found = yield* Effect.flip(sup.startChild(scripted("d", [Effect.fail("found")])))
      assert.deepStrictEqual(found.reason, { _tag: "Failed", cause: Cause.fail("found") })
      const garbage = yield* Effect.flip(sup.startChild(garbled(child("e"))))
      assert.instanceOf(garbage, Supervisor.StartError)
      assert.include(garbage.message, "must come to Started or Ignored, not to garbage")
      assert.deepStrictEqual(yield* list(sup), ["a -> 1", "b -> 1"])
      assert.deepStrictEqual(sup[Process.processOf].status, "running")
      assert.deepStrictEqual(yield* count(sup), [2, 2, 0, 2])
      yield* Process.exit(sup, shutdown)
    })
  )
})
