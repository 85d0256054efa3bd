/**
 * What is done to runners, one deed after the other, each when all keys are answered again.
 */
import { Clock, type Duration, Effect } from "effect"
import * as Fleet from "./Fleet.ts"
import * as Traffic from "./Traffic.ts"

/** How often each of it is done. */
export interface Plan {
  readonly kills: number
  readonly freezes: number
  readonly stops: number
}

/** How it is done. */
export interface Manner {
  /** Whether a runner that has ended is started again: it is, unless this says otherwise. */
  readonly isBack?: boolean
  /** How long a call may take while a runner is stopped in order: as long as by default, unless this says otherwise. */
  readonly handedOverIn?: Duration.Input
}

/** What was done, and what became of it. */
export interface Struck extends Plan {
  /** Writes that were refused, since their key was another runner's by then. */
  readonly refused: number
  /** Calls that failed while a runner was stopped in order, and joined again. */
  readonly failed: number
  /** Runners that did not leave in good time, and were killed. */
  readonly late: number
}

/** Nothing was done. */
export const none: Struck = { kills: 0, freezes: 0, stops: 0, refused: 0, failed: 0, late: 0 }

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
  say: Say,
  { handedOverIn = Traffic.usual, isBack = true }: Manner = {}
): Effect.fn.Return<Struck> {
  let [late, failed] = [0, 0]
  const failures = () => [...Traffic.failuresOf(lines).values()].reduce((sum, n) => sum + n, 0)
  const victim = (n: number) => runners[n % runners.length]!
  const named = ({ number, pid }: Fleet.Runner) => `runner ${number} (process ${pid})`
  const back = Effect.fnUntraced(function*(runner: Fleet.Runner) {
    if (!isBack) return
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
  if (stops > 0) {
    // Those that are on their way are not, so they are waited for.
    Traffic.bePatient(lines, handedOverIn)
    yield* Traffic.allBack(lines, yield* Clock.currentTimeMillis)
  }
  for (let n = 0; n < stops; n++) {
    // The one that was frozen last is the first: it has to leave in order all the same.
    const runner = victim(kills + Math.max(0, freezes - 1) + n)
    const before = failures()
    yield* say(`SIGTERM of ${named(runner)}`)
    const killed = Effect.gen(function*() {
      late++
      yield* say(`  it has not left within ${patience}: it is killed`)
      yield* Fleet.signal(runner, "SIGKILL")
      yield* Fleet.hasEnded(runner)
    })
    const left = Effect.timeoutOrElse(Fleet.hasEnded(runner), { duration: patience, orElse: () => killed })
    const stop = Effect.andThen(Fleet.signal(runner, "SIGTERM"), left)
    yield* say(`  it has left: ${yield* struck(lines, stop)}`)
    yield* back(runner)
    failed += failures() - before
  }
  return { kills, freezes, stops, failed, late, refused: runners.reduce((sum, { refused }) => sum + refused, 0) }
})
