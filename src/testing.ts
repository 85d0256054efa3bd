/**
 * The tools of tests of servers, apart from the rest so that no program loads them.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as Chaos from "./layers/testing/Chaos.ts"

/** @since 0.1.0 */
export * as Draws from "./domain/testing/Draws.ts"

/** @since 0.1.0 */
export * as Fault from "./domain/testing/Fault.ts"

/** @since 0.1.0 */
export * as FaultPlan from "./domain/testing/FaultPlan.ts"

/** @since 0.1.0 */
export * as FaultPoints from "./layers/server/parts/FaultPoints.ts"

/** @since 0.1.0 */
export * as FaultyStore from "./layers/testing/FaultyStore.ts"

/** @since 0.1.0 */
export * as Harness from "./layers/testing/Harness.ts"

/** @since 0.1.0 */
export * as History from "./layers/testing/History.ts"

/** @since 0.1.0 */
export * as Linearizability from "./domain/testing/Linearizability.ts"

/** @since 0.1.0 */
export * as Simulation from "./layers/testing/Simulation.ts"

/** @since 0.1.0 */
export * as VirtualTime from "./layers/testing/VirtualTime.ts"
