/**
 * What a supervisor knows about a child before it starts it: OTP's child specification.
 *
 * The restart types' truth table lives here as a function of two values, and so do the combinations that make no sense:
 * they are refused by name, never as a mere "invalid spec". You most likely want `permanent`; choose `transient` for a job
 * that ends by itself when all went well, `temporary` for one that nobody should repeat.
 *
 * @since 0.1.0
 */
import { Cause, type Duration, Predicate, Result, Schema } from "effect"
import * as Millis from "../options/Millis.ts"
import { type ExitReason, isOrderly } from "../process/ExitReason.ts"
import { adviceOf } from "../process/RestartAdvice.ts"

/**
 * When a child that ended is started again: always, after a disorderly end, or never.
 *
 * @since 0.1.0
 */
export type Restart = "permanent" | "transient" | "temporary"

/**
 * How long a child may take to stop, in milliseconds. `brutal_kill` does not ask it at all.
 *
 * @since 0.1.0
 */
export type Shutdown = number | "infinity" | "brutal_kill"

/**
 * When the end of a significant child ends its supervisor (OTP: `auto_shutdown`).
 *
 * @since 0.1.0
 */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/**
 * A complete child specification.
 *
 * @since 0.1.0
 */
export interface ChildSpec {
  readonly id: string
  readonly kind: "worker" | "supervisor"
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly significant: boolean
  /** Ids of the siblings it cannot work without; read by the strategy `dependents` only. */
  readonly needs: ReadonlyArray<string>
}

/**
 * What a specification may leave out.
 *
 * @since 0.1.0
 */
export interface Draft {
  readonly id: string
  readonly kind?: "worker" | "supervisor" | undefined
  readonly restart?: Restart | undefined
  readonly shutdown?: Duration.Input | "infinity" | "brutal_kill" | undefined
  readonly significant?: boolean | undefined
  readonly needs?: ReadonlyArray<string> | undefined
}

/**
 * What is wrong with a specification: which field, and in words what to do.
 *
 * @since 0.1.0
 */
export const InvalidSpec = Schema.TaggedStruct("InvalidSpec", {
  id: Schema.String,
  field: Schema.Literals(["spec", "id", "make", "kind", "restart", "shutdown", "significant", "needs"]),
  problem: Schema.String
})

/**
 * What is wrong with a specification.
 *
 * @since 0.1.0
 */
export type InvalidSpec = typeof InvalidSpec.Type

const noNeeds: ReadonlyArray<string> = []

/**
 * Completes a specification and refuses one that makes no sense (OTP: `supervisor:check_childspecs/2`).
 *
 * **Details**
 *
 * Defaults: `worker`, `permanent`, 5,000 ms (`infinity` for a supervisor, so that a subtree has the time it needs), not
 * significant, needs nobody. A fractional time is rounded up.
 *
 * @since 0.1.0
 */
export const make = (partial: Draft, autoShutdown: AutoShutdown): Result.Result<ChildSpec, InvalidSpec> => {
  if (!Predicate.isObject(partial)) return noSpec(partial, "no child specification")
  const { id, kind = "worker", needs = noNeeds, restart = "permanent", significant = false } = partial
  const refuse = (field: InvalidSpec["field"], problem: string) =>
    Result.fail<InvalidSpec>({ _tag: "InvalidSpec", id: String(id), field, problem })
  if (typeof id !== "string" || id === "") return refuse("id", "a child needs an id, a string that is not empty")
  if (kind !== "worker" && kind !== "supervisor") {
    return refuse("kind", `kind ${show(kind)} is neither "worker" nor "supervisor"`)
  }
  if (restart !== "permanent" && restart !== "transient" && restart !== "temporary") {
    return refuse("restart", `restart ${show(restart)} is none of "permanent", "transient", "temporary"`)
  }
  const shutdown = partial.shutdown === undefined
    ? (kind === "supervisor" ? "infinity" : 5000)
    : millis(partial.shutdown)
  if (shutdown === undefined) {
    return refuse(
      "shutdown",
      `shutdown ${show(partial.shutdown)} is neither a duration of 0 or more, nor "infinity", nor "brutal_kill"`
    )
  }
  if (typeof significant !== "boolean") return refuse("significant", `significant ${show(significant)} is no boolean`)
  if (significant && restart === "permanent") {
    return refuse(
      "significant",
      "a permanent child can't be significant: it is always restarted, so its end never ends the supervisor; " +
        "make it transient or temporary"
    )
  }
  if (significant && autoShutdown === "never") {
    return refuse(
      "significant",
      "significant needs autoShutdown: give the supervisor autoShutdown \"any_significant\" or \"all_significant\""
    )
  }
  if (!Array.isArray(needs) || needs.includes(id)) {
    return refuse("needs", "needs lists the ids of siblings, not its own")
  }
  return Result.succeed({ id, kind, restart, shutdown, significant, needs })
}

/**
 * Completes several specifications for one supervisor; no two of them may have one id.
 *
 * @since 0.1.0
 */
export const makeAll = (
  drafts: ReadonlyArray<Draft>,
  autoShutdown: AutoShutdown
): Result.Result<ReadonlyArray<ChildSpec>, InvalidSpec> => {
  if (!Array.isArray(drafts)) return noSpec(drafts, "no list of child specifications")
  const specs = new Map<string, ChildSpec>()
  for (const draft of drafts) {
    const spec = make(draft, autoShutdown)
    if (Result.isFailure(spec)) return Result.fail(spec.failure)
    const { id } = spec.success
    if (specs.has(id)) {
      return Result.fail({ _tag: "InvalidSpec", id, field: "id", problem: `two children have the id "${id}"` })
    }
    specs.set(id, spec.success)
  }
  return Result.succeed(Array.from(specs.values()))
}

/**
 * A shutdown time in milliseconds, or `undefined` when it is none.
 *
 * @since 0.1.0
 */
export const millis = (input: Duration.Input | "infinity" | "brutal_kill"): Shutdown | undefined => {
  if (input === "infinity" || input === "brutal_kill") return input
  const value = Millis.fromDuration(input)
  return value === Infinity ? "infinity" : value === undefined ? undefined : Math.ceil(value)
}

const show = (u: unknown): string => typeof u === "string" ? `"${u}"` : String(u)

/** What is no specification at all: possible only past the type checker. */
export const noSpec = (given: unknown, problem: string): Result.Result<never, InvalidSpec> =>
  Result.fail({ _tag: "InvalidSpec", id: show(given), field: "spec", problem: `${show(given)} is ${problem}` })

/**
 * The truth table: whether a child that ended by itself is started again.
 *
 * **Details**
 *
 * | restart | in order (`Normal`, `Shutdown`) | any other reason |
 * |---|---|---|
 * | `permanent` | again | again |
 * | `transient` | stays down | again |
 * | `temporary` | forgotten | forgotten |
 *
 * @since 0.1.0
 */
export const isRestarted = (restart: Restart, reason: ExitReason): boolean =>
  restart === "permanent" || (restart === "transient" && !isOrderly(reason))

/**
 * Whether a restart after this end is charged to the restart budget.
 *
 * **Details**
 *
 * One that a store caused is not: the store's own Schedule has decided how long to wait, and when to give up. Unless the
 * store will never take that state (it is damaged, or was used wrongly): then the budget bounds the attempts.
 *
 * @since 0.1.0
 */
export const isCharged = (reason: ExitReason): boolean =>
  reason._tag !== "NotConserved" || adviceOf(Cause.squash(reason.cause)) !== "uncharged"

/**
 * Whether a restart after this end would be futile, so that no budget is asked: a younger owner has taken the store over.
 *
 * **Details**
 *
 * A session that was fenced off stays so, and no start over it can succeed. What is final for a child is final for its
 * supervisor, which cannot start it again either. An error of a store that somebody's code died of is a crash like any other.
 *
 * @since 0.1.0
 */
export const isFinal = (reason: ExitReason): boolean => {
  switch (reason._tag) {
    case "Normal":
    case "Shutdown":
    case "Killed":
      return false
    default:
      return reason.cause.reasons.some(isFutile)
  }
}

const isFutile = (reason: Cause.Reason<unknown>): boolean =>
  reason._tag === "Fail" && adviceOf(reason.error) === "futile"
