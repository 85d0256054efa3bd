/** A `Telemetry` as the engines have it: what tests publish to, count with and listen in on. */
import type { Telemetry } from "../../src/index.ts"
import type { Sink } from "../../src/layers/observation/Sink.ts"

/** Every `Telemetry` is one. */
export const sinkOf = (telemetry: Telemetry.Telemetry): Sink => telemetry as Sink
