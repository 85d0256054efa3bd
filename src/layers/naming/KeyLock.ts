/**
 * Locks by key: one effect at a time per key, any number of keys side by side.
 *
 * *Tricky*: a lock exists only while it is held or waited for, or a million keys would leave a million locks. The count
 * of those interested goes up before the first wait and down in a finalizer, so that a party that fails, is interrupted
 * while it holds the lock or while it waits, never leaves a lock locked or forgets one that others wait for.
 *
 * @since 0.1.0
 */
import { Effect, HashMap, Option, type Scope, Semaphore } from "effect"

interface Lock {
  readonly semaphore: Semaphore.Semaphore
  interested: number
}

/** Runs effects one at a time per key. */
export interface KeyLock<in K> {
  readonly withLock: <A, E, R>(key: K, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Takes the lock of a key, and keeps it until the Scope closes. */
  readonly hold: (key: K) => Effect.Effect<void, never, Scope.Scope>
  /** Keys locked or waited for now. */
  readonly size: () => number
}

/** Makes locks for keys compared by value. */
export const make = <K>(): KeyLock<K> => {
  let locks = HashMap.empty<K, Lock>()
  const enter = (key: K): Lock => {
    const known = Option.getOrUndefined(HashMap.get(locks, key))
    const lock = known ?? { semaphore: Semaphore.makeUnsafe(1), interested: 0 }
    if (known === undefined) locks = HashMap.set(locks, key, lock)
    lock.interested++
    return lock
  }
  const leave = (key: K, lock: Lock): void => {
    if (--lock.interested === 0) locks = HashMap.remove(locks, key)
  }
  return {
    withLock: (key, effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => enter(key)),
        (lock) => lock.semaphore.withPermit(effect),
        (lock) => Effect.sync(() => leave(key, lock))
      ),
    hold: (key) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.suspend(() => {
          const lock = enter(key)
          const left = Effect.sync(() => leave(key, lock))
          return Effect.as(Effect.onInterrupt(lock.semaphore.take(1), () => left), lock)
        }),
        (lock) => Effect.andThen(lock.semaphore.release(1), Effect.sync(() => leave(key, lock))),
        { interruptible: true }
      )),
    size: () => HashMap.size(locks)
  }
}
