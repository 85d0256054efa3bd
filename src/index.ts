/**
 * Heirloom: OTP for Effect. Servers, supervisors, and state that survives the crash.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as Agent from "./layers/server/Agent.ts"

/** @since 0.1.0 */
export * as CrashReport from "./domain/observation/CrashReport.ts"

/** @since 0.1.0 */
export * as DynamicSupervisor from "./layers/supervision/DynamicSupervisor.ts"

/** @since 0.1.0 */
export * as ExitReason from "./domain/process/ExitReason.ts"

/** @since 0.1.0 */
export * as GenServer from "./layers/server/GenServer.ts"

/** @since 0.1.0 */
export * as Groups from "./layers/naming/Groups.ts"

/** @since 0.1.0 */
export * as InvalidOption from "./domain/options/InvalidOption.ts"

/** @since 0.1.0 */
export * as Lifecycle from "./domain/observation/Lifecycle.ts"

/** @since 0.1.0 */
export * as Metrics from "./layers/observation/Metrics.ts"

/** @since 0.1.0 */
export * as Monitor from "./layers/naming/Monitor.ts"

/** @since 0.1.0 */
export * as Next from "./domain/server/Next.ts"

/** @since 0.1.0 */
export * as PartitionSupervisor from "./layers/supervision/PartitionSupervisor.ts"

/** @since 0.1.0 */
export * as Process from "./layers/process/Process.ts"

/** @since 0.1.0 */
export * as Registry from "./layers/naming/Registry.ts"

/** @since 0.1.0 */
export * as Requests from "./layers/server/Requests.ts"

/** @since 0.1.0 */
export * as Restart from "./layers/supervision/restart/Restart.ts"

/** @since 0.1.0 */
export * as Snapshots from "./layers/state/Snapshots.ts"

/** @since 0.1.0 */
export * as StateContainer from "./layers/state/StateContainer.ts"

/** @since 0.1.0 */
export * as StateSchema from "./domain/state/StateSchema.ts"

/** @since 0.1.0 */
export * as StateStore from "./layers/state/store/StateStore.ts"

/** @since 0.1.0 */
export * as StateTable from "./layers/state/StateTable.ts"

/** @since 0.1.0 */
export * as Supervisor from "./layers/supervision/Supervisor.ts"

/** @since 0.1.0 */
export * as Sys from "./layers/server/Sys.ts"

/** @since 0.1.0 */
export * as SystemView from "./domain/observation/SystemView.ts"

/** @since 0.1.0 */
export * as TaskSupervisor from "./layers/supervision/TaskSupervisor.ts"

/** @since 0.1.0 */
export * as Telemetry from "./layers/observation/Telemetry.ts"

/** @since 0.1.0 */
export * as Timer from "./domain/server/Timer.ts"
