/**
 * How far a run is: a bar on a terminal, a plain line now and then elsewhere. On standard error, so that the output can
 * be piped.
 */
import { SingleBar } from "cli-progress"
import { Console, Effect, type Scope, Stdio } from "effect"

/** Says how far it is. */
export type Tick = (done: number) => Effect.Effect<void>

/** Shows the progress of a run until the scope closes. */
export const show = (
  label: string,
  total: number
): Effect.Effect<Tick, never, Scope.Scope | Stdio.Stdio> =>
  Effect.gen(function*() {
    const { stderrIsTerminal } = yield* Stdio.Stdio
    return yield* (yield* stderrIsTerminal) ? bar(label, total) : lines(label, total)
  })

const bar = (label: string, total: number): Effect.Effect<Tick, never, Scope.Scope> =>
  Effect.gen(function*() {
    const bar = new SingleBar({
      format: `${label.padEnd(10)} {bar} {percentage}%  {value} of {total} lines`,
      barCompleteChar: "\u2588",
      barIncompleteChar: "\u2591",
      hideCursor: true
    })
    yield* Effect.acquireRelease(Effect.sync(() => bar.start(total, 0)), () => Effect.sync(() => bar.stop()))
    return (done) => Effect.sync(() => bar.update(done))
  })

const lines = (label: string, total: number): Effect.Effect<Tick> =>
  Effect.sync(() => {
    const quarter = total / 4
    let next = 1
    return (done) => {
      if (done < next * quarter) return Effect.void
      next = Math.floor(done / quarter) + 1
      return Console.error(`${label}: ${Math.round((100 * done) / total)}%, ${done} of ${total} lines`)
    }
  })
