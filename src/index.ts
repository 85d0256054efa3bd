/**
 * Heirloom: OTP for Effect. Servers, supervisors, and state that survives the crash.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as CrashReport from "./domain/observation/CrashReport.ts"

/** @since 0.1.0 */
export * as ExitReason from "./domain/server/ExitReason.ts"

/** @since 0.1.0 */
export * as Lifecycle from "./domain/observation/Lifecycle.ts"

/** @since 0.1.0 */
export * as Telemetry from "./layers/observation/Telemetry.ts"
