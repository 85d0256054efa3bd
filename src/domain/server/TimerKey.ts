/**
 * The idempotency key of a timer: the same whenever it is delivered again, and no other's.
 *
 * @since 0.1.0
 */
import type { Due } from "../state/Timers.ts"
import { shortened } from "./Idempotency.ts"
import type { Fired } from "./Timer.ts"

/** The timer as its handler sees it. `server` is its name among those of its store. */
export const fired = (server: string, { late, missed, timer: { due, name } }: Due): Fired => {
  // Of servers whose keys begin alike, it is still another one's.
  return { name, due, late, missed, idempotencyKey: shortened(`${due}/${name}/${server}`) }
}
