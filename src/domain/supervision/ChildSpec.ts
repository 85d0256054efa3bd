/**
 * What a supervisor knows about a child before it starts it: OTP's child specification.
 *
 * The restart types' truth table lives here as a function of two values, and so do the combinations that make no sense:
 * each is refused by what is wrong with it (`InvalidOption`). You most likely want `permanent`; choose `transient` for
 * a job that ends by itself when all went well, `temporary` for one that must not be repeated.
 *
 * @since 0.1.0
 */
import { Cause, type Duration, Predicate, Result } from "effect"
import { words } from "../options/GivenOption.ts"
import { InvalidOption } from "../options/InvalidOption.ts"
import * as Millis from "../options/Millis.ts"
import { type ExitReason, isOrderly } from "../process/ExitReason.ts"
import { defaultShutdown, type Shutdown } from "../process/Fate.ts"
import { adviceOf, type RestartAdvice } from "../process/RestartAdvice.ts"

/**
 * When a child that ended is started again: always, after a disorderly end, or never.
 *
 * @since 0.1.0
 */
export type Restart = "permanent" | "transient" | "temporary"

/**
 * When the end of a significant child ends its supervisor (OTP: `auto_shutdown`).
 *
 * @since 0.1.0
 */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/** All of them. */
export const autoShutdowns: ReadonlyArray<AutoShutdown> = ["never", "any_significant", "all_significant"]

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

const noNeeds: ReadonlyArray<string> = []

/**
 * Completes a specification and refuses one that makes no sense (OTP: `supervisor:check_childspecs/2`).
 *
 * **Details**
 *
 * Defaults: `worker`, `permanent`, 5,000 ms (`infinity` for a supervisor, so that a subtree has the time it needs), not
 * significant, needs no other child. A fractional time is rounded up.
 *
 * @since 0.1.0
 */
export const make = (partial: Draft, autoShutdown: AutoShutdown): Result.Result<ChildSpec, InvalidOption> => {
  if (!Predicate.isObject(partial)) return noSpec(partial, "a child specification")
  const { id, kind = "worker", needs = noNeeds, restart = "permanent", significant = false } = partial
  if (typeof id !== "string" || id === "") return wrong("a child", "id", id, "a string that is not empty")
  if (!kinds.includes(kind)) return wrong(id, "kind", kind, words(kinds))
  if (!restarts.includes(restart)) return wrong(id, "restart", restart, words(restarts))
  const shutdown = partial.shutdown === undefined
    ? (kind === "supervisor" ? "infinity" : defaultShutdown)
    : millis(partial.shutdown)
  if (shutdown === undefined) {
    return wrong(id, "shutdown", partial.shutdown, "a duration of 0 or more, \"infinity\" or \"brutal_kill\"")
  }
  if (typeof significant !== "boolean") return wrong(id, "significant", significant, "true or false")
  if (significant && restart === "permanent") {
    return wrong(
      id,
      "significant",
      significant,
      "false for a permanent child, whose end never ends its supervisor, since it is always restarted; or make it transient " +
        "or temporary"
    )
  }
  if (significant && autoShutdown === "never") {
    return wrong(
      id,
      "significant",
      significant,
      "false under a supervisor without autoShutdown; or give that \"any_significant\" or \"all_significant\""
    )
  }
  if (!Array.isArray(needs) || needs.includes(id)) return wrong(id, "needs", needs, "a list of ids of its siblings")
  return Result.succeed({ id, kind, restart, shutdown, significant, needs })
}

const kinds: ReadonlyArray<ChildSpec["kind"]> = ["worker", "supervisor"]
const restarts: ReadonlyArray<Restart> = ["permanent", "transient", "temporary"]

/** What is wrong with one field of a specification. */
export const wrong = (
  of: string,
  option: string,
  given: unknown,
  expected: string
): Result.Result<never, InvalidOption> => Result.fail(new InvalidOption({ of, option, given, expected }))

/**
 * Completes several specifications for one supervisor; no two of them may have one id.
 *
 * @since 0.1.0
 */
export const makeAll = (
  drafts: ReadonlyArray<Draft>,
  autoShutdown: AutoShutdown
): Result.Result<ReadonlyArray<ChildSpec>, InvalidOption> => {
  if (!Array.isArray(drafts)) return noSpec(drafts, "a list of child specifications")
  const specs = new Map<string, ChildSpec>()
  for (const draft of drafts) {
    const spec = make(draft, autoShutdown)
    if (Result.isFailure(spec)) return Result.fail(spec.failure)
    const { id } = spec.success
    if (specs.has(id)) return Result.fail(taken(id))
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

/** What is no specification at all: possible only past the type checker. */
export const noSpec = (given: unknown, expected: string): Result.Result<never, InvalidOption> =>
  wrong("a supervisor", "child", given, expected)

/** Two children of one id. */
export const taken = (id: string): InvalidOption =>
  new InvalidOption({ of: id, option: "id", given: id, expected: "another one: two children have it" })

/** What is wrong with a child that needs one which is not there before it, if any. */
export const unmetNeed = (
  { id: of, needs }: ChildSpec,
  isThere: (id: string) => boolean
): InvalidOption | undefined => {
  const given = needs.find((id) => !isThere(id))
  return given === undefined
    ? undefined
    : new InvalidOption({ of, option: "needs", given, expected: "a child that was started before it" })
}

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
 * One that a store caused is not: the store's own Schedule has decided how long to wait, and when to give up. Unless
 * the store will never take that state (it is damaged, or was used wrongly): then the budget bounds the attempts.
 *
 * @since 0.1.0
 */
export const isCharged = (reason: ExitReason): boolean =>
  reason._tag !== "NotConserved" || adviceOf(Cause.squash(reason.cause)) !== "uncharged"

/**
 * Whether a restart after this end would be futile, so that no budget is asked: a younger owner has taken the store
 * over, or the start is refused ({@link isRefused}).
 *
 * **Details**
 *
 * | what has ended it | again | its supervisor, and those above |
 * |---|---|---|
 * | a younger owner of the store | no | give up |
 * | a younger owner of its key; a state that cannot be read | no | see {@link isLetGo} |
 * | an error of a store that an app's code died of | if the budget allows | |
 *
 * A session that was fenced off stays so, and no start over it can succeed: that is final for its supervisor, which
 * cannot start it again either.
 *
 * @since 0.1.0
 */
export const isFinal = (reason: ExitReason): boolean => advises(reason, "futile") || isRefused(reason)

/**
 * Whether its start is refused as things are: its state cannot be read, or another process has taken its key over.
 *
 * **Details**
 *
 * That concerns the one process alone: it is started anew for the next that asks.
 *
 * @since 0.1.0
 */
export const isRefused = (reason: ExitReason): boolean => advises(reason, "refused")

/**
 * Whether its supervisor goes on without a child that ended so, which stays down.
 *
 * **Details**
 *
 * | the child | an end that is refused | any other |
 * |---|---|---|
 * | was added at run time: by a dynamic supervisor, or to a static one | stays down, the supervisor goes on | |
 * | belongs to the specification of a static supervisor | the supervisor gives up, or parks it | |
 *
 * A supervisor cannot do without what it is made of. So a supervisor of its own around the server of a key gives up
 * with that, and what was started to have one for each key goes on: what concerns one key climbs no further.
 *
 * @since 0.1.0
 */
export const isLetGo = (reason: ExitReason, initial: boolean): boolean => !initial && isRefused(reason)

const advises = (reason: ExitReason, advice: RestartAdvice): boolean => {
  switch (reason._tag) {
    case "Normal":
    case "Shutdown":
    case "Killed":
      return false
    default:
      return reason.cause.reasons.some((reason) => reason._tag === "Fail" && adviceOf(reason.error) === advice)
  }
}
