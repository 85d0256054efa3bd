/** A `Telemetry` as the engines have it: what tests publish to, count with and listen in on; and what it has seen. */
import { Effect } from "effect"
import { type Process, Sys, type Telemetry } from "../../src/index.ts"
import type { Sink } from "../../src/layers/observation/Sink.ts"
import { Harness } from "../../src/testing.ts"

/** Every `Telemetry` is one. */
export const sinkOf = (telemetry: Telemetry.Telemetry): Sink => telemetry as Sink

/** All that can be seen of a server from outside: its events, what was counted, and how it is now. */
export const seenOf = Effect.fnUntraced(function*(server: Process.HasProcess) {
  const harness = yield* Harness.Harness
  const { calls, casts, crashes, queued: waiting, restarts } = sinkOf(harness.telemetry).counters
  const { incarnation, queued, state, status } = yield* Sys.getStatus(server)
  return {
    events: yield* harness.historyOf(server),
    counters: { calls, casts, crashes, restarts, queued: waiting },
    status: { incarnation, queued, state, status }
  }
})
