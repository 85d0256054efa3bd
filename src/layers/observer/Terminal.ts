/**
 * The observer in a terminal: what the page shows, without the inspector. It draws twice a second, and at every key.
 *
 * @since 0.1.0
 */
import { Clock, Effect, Queue, type Scope, Terminal } from "effect"
import { frame, looking as atFirst, pressed, rowsIn } from "../../domain/observer/Frame.ts"
import { Rates } from "../../domain/observer/Rates.ts"
import type { Sampler } from "./Sampler.ts"

/** Clears what is there, and hides the cursor; back as it was in the end. */
const begin = "\u001b[?1049h\u001b[?25l"
const end = "\u001b[?25h\u001b[?1049l"

/** Draws until `q` is pressed. */
export const draw = (sampler: Sampler, every: number): Effect.Effect<void, never, Terminal.Terminal | Scope.Scope> =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    const show = (text: string) => Effect.ignore(terminal.display(text))
    yield* Effect.acquireRelease(show(begin), () => show(end))
    const keys = yield* terminal.readInput
    const rates = new Rates()
    let looking = atFirst
    let last = 0
    while (true) {
      const [width, height, now] = yield* Effect.all([terminal.columns, terminal.rows, Clock.currentTimeMillis])
      const isDue = now - last >= every
      if (isDue) {
        last = now
        sampler.tick()
      }
      const screen = sampler.seen({ ...looking, count: rowsIn(height), find: "", chosen: null })
      if (isDue) {
        rates.read(now, [
          [0, screen.totals.messages],
          ...screen.rows.map((row) => [row.n, row.handled] as const)
        ])
      }
      const lines = frame(screen, rates, { width, height, isColored: true, now, looking })
      yield* show(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`)
      const input = yield* Effect.timeoutOption(Queue.take(keys), Math.max(1, last + every - now))
      if (input._tag === "None") continue
      const { input: typed, key } = input.value
      const next = pressed(typed._tag === "Some" && typed.value === "!" ? "!" : key.name, looking, screen, height)
      if (next === "quit") return
      looking = next
    }
  }).pipe(
    // The input has ended, as by Ctrl-C.
    Effect.catchTag("Done", () => Effect.void)
  )
