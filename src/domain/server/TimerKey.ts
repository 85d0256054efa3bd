/**
 * The idempotency key of a timer: the same whenever it is delivered again, and no other's.
 *
 * @since 0.1.0
 */
import { isLonger } from "../state/stored/SnapshotRecord.ts"
import type { Due } from "../state/Timers.ts"
import { maxKeyBytes } from "./Idempotency.ts"
import type { Fired } from "./Timer.ts"

/** The timer as its handler sees it. `server` is its name among those of its store. */
export const fired = (server: string, { late, missed, timer: { due, name } }: Due): Fired => {
  const key = `${due}/${name}/${server}`
  return { name, due, late, missed, idempotencyKey: isLonger(key, maxKeyBytes) ? shortened(key) : key }
}

// Of servers whose keys begin alike, it is still another one's.
const shortened = (key: string): string => {
  let hash = 0x6c62272e07bb014262b821756295c58dn
  for (let i = 0; i < key.length; i++) hash = BigInt.asUintN(128, (hash ^ BigInt(key.charCodeAt(i))) * prime)
  // A character has three bytes at most.
  return `${key.slice(0, 72)}…${hash.toString(36)}`
}

/** That of the FNV hash of 128 bits. */
const prime = 0x1000000000000000000013bn
