/** Garbage collection on demand: whether something is still reachable. */
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

/** How many of a kind are to leave nothing behind: far more than a few that may stay. A long run has more. */
export const many = Number(process.env["MANY"] ?? 2_000)

/** Collects in a turn of its own of the event loop: what a turn has looked at is held until it is over. */
export const collectGarbage = Effect.andThen(
  Effect.callback<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  }),
  Effect.sync(collect)
)

/** Whether something is gone once garbage was collected. */
export const isCollected = (thing: WeakRef<object>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < 10 && thing.deref() !== undefined; turn++) yield* collectGarbage
    return thing.deref() === undefined
  })

const turns = 5

/**
 * How many of some things are still reachable, looked at again while it is more than are expected: what has just run
 * may hold some of them for a turn.
 */
export const reachable = (
  things: ReadonlyArray<WeakRef<object>>,
  expected = things.length
): Effect.Effect<number> =>
  Effect.gen(function*() {
    const count = Effect.map(collectGarbage, () => things.filter((thing) => thing.deref() !== undefined).length)
    let left = yield* count
    for (let turn = 1; turn < turns && left > expected; turn++) left = yield* count
    return left
  })
