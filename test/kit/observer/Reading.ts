/** A reader of the observer's stream, as the page is one. */
import { type Cause, Effect, Queue, type Scope, Stream } from "effect"
import { applied } from "../../../src/domain/observer/Difference.ts"
import type { View } from "../../../src/domain/observer/Requests.ts"
import { type Change, type Row, type Screen, type Snapshot, untouched } from "../../../src/domain/observer/Wire.ts"

export const ask = (url: string, path: string, init?: RequestInit): Effect.Effect<Response> =>
  Effect.promise((signal) => fetch(`${url}/${path}`, { signal, ...init }))

export const post = (url: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(url, path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers }
  })

/** What one reader sees, and what it was sent for that. */
export interface Reading {
  readonly snapshot: Snapshot
  readonly screen: Screen
  readonly events: number
  /** Waits until it sees something. */
  readonly until: <A>(seen: (screen: Screen) => A | undefined | false) => Effect.Effect<A>
  readonly look: (view: Partial<View>) => Effect.Effect<Response>
}

/** Opens a stream, and reads it until the scope closes. */
export const open = (url: string, headers: Record<string, string> = {}): Effect.Effect<Reading, never, Scope.Scope> =>
  Effect.gen(function*() {
    const abort = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => abort.abort()))
    const response = yield* Effect.promise(() => fetch(`${url}/events`, { headers, signal: abort.signal }))
    if (response.status !== 200) return yield* Effect.die(new Error(`status ${response.status}`))
    const news = yield* Queue.unbounded<Screen, Cause.Done>()
    const reading = { events: 0 } as { -readonly [K in keyof Reading]: Reading[K] }
    let seq = 0
    let text = ""
    const take = (event: string, data: string): void => {
      reading.events++
      if (event === "snapshot") {
        reading.snapshot = JSON.parse(data)
        reading.screen = reading.snapshot.screen
      } else {
        const change: Change = JSON.parse(data)
        if (change.seq !== ++seq) throw new Error(`difference ${change.seq} after ${seq - 1}`)
        reading.screen = applied(reading.screen, change)
      }
      Queue.offerUnsafe(news, reading.screen)
    }
    yield* Stream.fromReadableStream({ evaluate: () => response.body!, onError: (error) => error }).pipe(
      Stream.decodeText,
      Stream.runForEach((chunk) =>
        Effect.sync(() => {
          text += chunk
          const events = text.split("\n\n")
          text = events.pop()!
          for (const one of events) {
            const [event = "", data = ""] = one.split("\n").map((line) => line.slice(line.indexOf(": ") + 2))
            take(event, data)
          }
        })
      ),
      Effect.ensuring(Queue.end(news)),
      Effect.ignore,
      Effect.forkScoped
    )
    yield* Queue.take(news)
    reading.until = <A>(seen: (screen: Screen) => A | undefined | false) =>
      Effect.gen(function*() {
        let screen = reading.screen
        while (true) {
          const found = seen(screen)
          if (found !== undefined && found !== false) return found
          screen = yield* Effect.orDie(Queue.take(news))
        }
      })
    reading.look = (view) =>
      post(url, "view", {
        ...untouched,
        reader: reading.snapshot.reader,
        count: 100,
        ...view
      }, headers)
    return reading
  }).pipe(Effect.orDie)

/** A row by its id. */
export const rowOf = (id: string) => ({ rows }: Screen): Row | undefined => rows.find((row) => row.id === id)
