/**
 * The keys under which effect marks its own values, where it has no function that asks for them, or one that costs too
 * much.
 *
 * They are not part of what effect promises: each is pinned by a test, which fails when a release of effect moves it.
 *
 * @since 0.1.0
 */

/** On every `Exit`, and on no other Effect. */
export const exitKey = "~effect/Exit"

/** What a fiber calls to run a step of an Effect. */
export const evaluateKey = "~effect/Effect/evaluate"

/** Where a fiber notes an interruption that came in the middle of its step. */
export const interruptKey = "_deferredInterrupt"

/** On every value with a hash of its own: effect's data types, which are immutable. */
export const hashKey = "~effect/Hash"

/** On every `Chunk`. */
export const chunkKey = "~effect/Chunk"

/** Among the annotations of every schema of a class, and of no other. */
export const classKey = "~constructor"

/** On values that hide what they hold. */
export const redactableKey: unique symbol = Symbol.for("~effect/Redactable")
