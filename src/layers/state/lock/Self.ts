/**
 * What this process is to others that want the same store.
 *
 * @since 0.1.0
 */
import { DateTime, Effect } from "effect"
import { hostname } from "node:os"
import process from "node:process"
import type { Holder } from "../../../domain/state/stored/Ownership.ts"
import { realClock } from "./RealTime.ts"

/** This process, from now on. */
export const self: Effect.Effect<Required<Holder>> = Effect.sync(() => ({
  pid: process.pid,
  host: hostname(),
  since: DateTime.formatIso(DateTime.makeUnsafe(realClock.currentTimeMillisUnsafe()))
}))
