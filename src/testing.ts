/**
 * What tests of servers need, apart from the rest so that no program loads it.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as Harness from "./layers/testing/Harness.ts"
