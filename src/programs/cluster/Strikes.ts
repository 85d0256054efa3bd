/**
 * What is done to runners, one deed after the other, each when all keys are answered again.
 */
import { Clock, Effect } from "effect"
import * as Fleet from "./Fleet.ts"
import * as Traffic from "./Traffic.ts"

/** How often each of it is done. */
export interface Plan {
  readonly kills: number
  readonly freezes: number
  readonly stops: number
}

/** Shows what happens. */
export type Say = (text: string) => Effect.Effect<void>

/** How long the others have for it: a runner that has joined gets its share of the keys. */
export const settling = "3 seconds"

/** How long a runner may take to leave. */
const patience = "30 seconds"

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

/** Does something to a runner, and waits until all keys are answered: how many were away, and for how long at most. */
export const struck = Effect.fnUntraced(function*(lines: ReadonlyArray<Traffic.Line>, deed: Effect.Effect<void>) {
  Traffic.look(lines)
  const since = yield* Clock.currentTimeMillis
  yield* deed
  const { away, longest } = yield* Traffic.allBack(lines, since)
  return away === 0 ? "no key was away" : `${away} of ${lines.length} keys were away, for ${seconds(longest)} at most`
})

/** Does what a plan says. */
export const strike = Effect.fnUntraced(function*(
  runners: ReadonlyArray<Fleet.Runner>,
  lines: ReadonlyArray<Traffic.Line>,
  { freezes, kills, stops }: Plan,
  say: Say
) {
  const victim = (n: number) => runners[n % runners.length]!
  const named = ({ number, pid }: Fleet.Runner) => `runner ${number} (process ${pid})`
  const back = Effect.fnUntraced(function*(runner: Fleet.Runner) {
    const how = yield* struck(lines, Effect.andThen(Fleet.rejoin(runner), Effect.sleep(settling)))
    yield* say(`  ${named(runner)} has joined: ${how}`)
  })
  for (let n = 0; n < kills; n++) {
    const runner = victim(n)
    yield* say(`kill -9 of ${named(runner)}`)
    yield* say(`  ${yield* struck(lines, Fleet.signal(runner, "SIGKILL"))}`)
    yield* Fleet.hasEnded(runner)
    yield* back(runner)
  }
  for (let n = 0; n < freezes; n++) {
    const runner = victim(kills + n)
    yield* say(`SIGSTOP of ${named(runner)}`)
    yield* say(`  ${yield* struck(lines, Fleet.signal(runner, "SIGSTOP"))}`)
    const thaw = Effect.andThen(Fleet.signal(runner, "SIGCONT"), Effect.sleep(settling))
    yield* say(`SIGCONT: what it still had in hand is refused\n  ${yield* struck(lines, thaw)}`)
  }
  for (let n = 0; n < stops; n++) {
    const runner = victim(kills + freezes + n)
    yield* say(`SIGTERM of ${named(runner)}`)
    const late = Effect.andThen(
      say(`  it has not left within ${patience}: it is killed`),
      Effect.andThen(Fleet.signal(runner, "SIGKILL"), Fleet.hasEnded(runner))
    )
    const left = Effect.timeoutOrElse(Fleet.hasEnded(runner), { duration: patience, orElse: () => late })
    const stop = Effect.andThen(Fleet.signal(runner, "SIGTERM"), left)
    yield* say(`  it has left: ${yield* struck(lines, stop)}`)
    yield* back(runner)
  }
})
