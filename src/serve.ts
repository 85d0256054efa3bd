/**
 * Calls from outside, apart from the rest: it needs effect's `rpc`, `http` and `http-api`.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as Serve from "./layers/placement/Serve.ts"
