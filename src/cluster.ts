/**
 * Servers on a cluster, apart from the rest so that no other program loads effect's.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as ClusterServer from "./layers/placement/ClusterServer.ts"
