/** The program tally, killed at any moment and run again as it was, until it is done. */
import { Effect, Random, Schema, type Scope } from "effect"
import { Result } from "../../../src/programs/tally/Result.ts"
import { start } from "./Processes.ts"

/** What came of a run. */
export interface Outcome {
  readonly kills: number
  /** What the last process printed, which came to the end. */
  readonly result: Result
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Result))

/**
 * Kills it `kills` times: once when it has counted a quarter, so that something is stored, and then some moments after
 * it has begun to work, or while it is starting. Then lets it end.
 *
 * `moment` bounds how long it may work, in milliseconds. On a machine so fast that it ends before it was killed so
 * often, all begins again in a fresh place with half of that.
 */
export const killTally = (
  program: string,
  place: Effect.Effect<string, never, Scope.Scope>,
  args: ReadonlyArray<string>,
  kills: number,
  moment: number
): Effect.Effect<Outcome, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const command = ["--companion", yield* place, ...args]
    for (let i = 0; i < kills; i++) {
      const running = yield* start(program, command)
      if (i === 0) yield* running.warned("%, ")
      else {
        // The heading is the first it says, when it has read its input.
        if ((yield* Random.nextIntBetween(0, 6)) > 0) yield* running.printed("Counting")
        yield* Effect.sleep(yield* Random.nextIntBetween(0, moment))
      }
      const end = yield* running.kill
      if (end === 0) return yield* killTally(program, place, args, kills, moment / 2)
      if (end !== "SIGKILL") {
        return yield* Effect.die(new Error(`it failed (${end}): ${running.errors()} ${running.lines.join("\n")}`))
      }
    }
    const last = yield* start(program, [...command, "--json"])
    const end = yield* last.ended
    if (end !== 0) return yield* Effect.die(new Error(`it failed (${end}): ${last.errors()}`))
    return { kills, result: yield* decode(last.lines.join("\n")) }
  }))
