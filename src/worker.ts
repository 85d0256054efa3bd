/**
 * Servers whose handlers run in threads or processes, apart from the rest since it loads Node's.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as WorkerServer from "./layers/placement/WorkerServer.ts"
