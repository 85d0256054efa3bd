/**
 * How incarnations begin: from what is conserved, or from `init`.
 *
 * *Tricky*: a start that answers at once costs no fiber, and one in a fiber may be given up by its supervisor before it is
 * over; what it then still computes is nobody's.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import * as Millis from "../../../domain/options/Millis.ts"
import { crashed, type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import { StartUndone } from "../../../domain/process/StartFailure.ts"
import { Ignore, type NextOptions, Start } from "../../../domain/server/Next.ts"
import {
  InitTimeout,
  InvalidResult,
  MissingCallback,
  NameTaken,
  StateRefused
} from "../../../domain/server/ServerErrors.ts"
import type { Generation } from "../../../domain/state/Generations.ts"
import type { Child, Started } from "../../process/Child.ts"
import { attempt, isEffect, isExit } from "../../process/Execute.ts"
import { nothing, type Taken } from "../../state/companion/Companion.ts"
import { Starting } from "../parts/Phase.ts"
import type { AnyBehavior } from "../parts/ServerSpec.ts"
import { ServerEnd } from "./ServerEnd.ts"

const started: Exit.Exit<Started> = Exit.succeed({ _tag: "Started" })
const ignored: Started = { _tag: "Ignored" }

/** How incarnations begin. */
export abstract class ServerStart extends ServerEnd implements Child {
  start(): Effect.Effect<Started, unknown> {
    const { container, make, shared } = this.spec
    // Whoever owns its companion still has no need to look for it: among a million keys that is a restart's worth of time.
    if (this.keeper?.owner !== this) {
      this.keeper = container.enter(this)
      // Another process may have had this key before, or since: its incarnations are older than this one.
      this.incarnation = Math.max(this.incarnation, this.keeper?.youngest ?? 0)
    }
    this.incarnation++
    this.phase = Starting
    this.proven = false
    this.callback = undefined
    const holder = this.keeper?.owner
    if (holder !== undefined && holder !== this) {
      this.keeper = undefined
      return this.failStart(Cause.die(new NameTaken({ server: this.name, holder })))
    }
    if (make !== undefined) {
      const life = this.live()
      return this.startInFiber(Effect.flatMap(make, (behavior) => {
        if (this.life !== life) return Effect.interrupt
        life.behavior = behavior
        return this.firstState(behavior)
      }))
    }
    const first = this.firstStateOf(shared!)
    if (!isExit(first)) return this.startInFiber(first)
    return first._tag === "Success" ? this.begin(first.value) : this.failStart(first.cause)
  }

  private firstStateOf(shared: AnyBehavior): Effect.Effect<unknown, unknown> {
    try {
      return this.firstState(shared)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** What the incarnation starts from: what is conserved, or `init`. */
  protected firstState(behavior: AnyBehavior): Effect.Effect<unknown, unknown> {
    const taken = this.keeper === undefined ? nothing : this.keeper.takeOver(this.incarnation)
    return isEffect(taken)
      ? Effect.flatMap(taken, (taken) => this.stateFrom(behavior, taken))
      : this.stateFrom(behavior, taken)
  }

  protected stateFrom(behavior: AnyBehavior, { aside, decision }: Taken<unknown>): Effect.Effect<unknown, unknown> {
    for (const { seq, why } of aside) this.publish("StateSetAside", { seq, why })
    switch (decision._tag) {
      case "Refuse":
      case "GiveUp":
        return Exit.die(new StateRefused({ server: this.name, seq: decision.from, why: decision.why }))
      case "Init": {
        if (decision.from !== undefined) this.rolledBack(decision.from, undefined, decision.why)
        this.restoredFrom = 0
        this.callback = "init"
        if (behavior.init === undefined && !("init" in behavior)) {
          return Exit.die(new MissingCallback({ server: this.name, callback: "init" }))
        }
        return isEffect(behavior.init) ? behavior.init : Exit.succeed(behavior.init)
      }
      case "RollBack":
        this.rolledBack(decision.from, decision.to.seq, decision.why)
        return this.restored(behavior, decision.to)
      case "Restore":
        return this.restored(behavior, decision.snapshot)
    }
  }

  /** Acknowledged updates are lost: that is told wherever somebody may hear it. */
  protected rolledBack(from: number, to: number | undefined, why: string): void {
    const { incarnation, path } = this
    this.publish("StateRolledBack", { from, why, ...(to === undefined ? {} : { to }) })
    this.spec.parent.telemetry.rolledBack({ path, incarnation, from, to, why }, this.spec.context)
  }

  protected restored(behavior: AnyBehavior, snapshot: Generation<unknown>): Effect.Effect<unknown, unknown> {
    this.restoredFrom = snapshot.seq
    this.publish("StateRestored", { seq: snapshot.seq })
    if (behavior.restore === undefined) return Exit.succeed(snapshot.state)
    this.callback = "restore"
    const first = behavior.restore(this.spec.copy === undefined ? snapshot.state : this.spec.copy(snapshot.state))
    return isEffect(first) ? first : Exit.succeed(first)
  }

  protected startInFiber(first: Effect.Effect<unknown, unknown>): Effect.Effect<Started, unknown> {
    const millis = this.spec.initTimeout
    const timeout = Cause.die(new InitTimeout({ server: this.name, millis }))
    const bounded = millis === Infinity
      ? first
      : Effect.timeoutOrElse(first, { duration: millis, orElse: () => Effect.failCause(timeout) })
    let result: Effect.Effect<Started, unknown> | undefined
    let resume: ((result: Effect.Effect<Started, unknown>) => void) | undefined
    const over = (come: Effect.Effect<Started, unknown>) => {
      result = come
      resume?.(come)
    }
    this.live().fail = (cause) => over(Exit.failCause(cause))
    this.run(bounded, (exit) => {
      this.fiber = undefined
      over(exit._tag === "Success" ? this.begin(exit.value) : this.failStart(exit.cause))
    })
    if (result !== undefined) return result
    // An init that cannot be interrupted is not waited for beyond that.
    if (millis !== Infinity) this.bound(millis + this.spec.shutdown, timeout)
    return Effect.callback((later) => {
      if (result !== undefined) later(result)
      else resume = later
    })
  }

  /** The incarnation is up. */
  protected begin(first: unknown): Effect.Effect<Started, unknown> {
    if (first instanceof Ignore) return this.leaveStart(killed, Effect.succeed(ignored))
    const initial = first instanceof Start ? first : undefined
    const request = this.callback ?? "init"
    const problem = initial !== undefined
      ? this.problemOf(initial.options, request)
      : first instanceof Promise
      ? new InvalidResult({ server: this.name, request, result: first })
      : undefined
    if (problem !== undefined) return this.failStart(Cause.die(problem))
    const { protect } = this.spec
    const state = initial === undefined ? first : initial.state
    if (protect === undefined) this.state = state
    else {
      const kept = attempt(() => protect(state))
      if (kept._tag === "Failure") return this.failStart(kept.cause)
      this.state = kept.value
    }
    this.callback = undefined
    this.idle(initial?.options)
    return initial?.options.info === undefined ? started : Exit.succeed({ _tag: "Started", info: initial.options.info })
  }

  /** What is wrong with what accompanies an answer, if anything is: found before any of it is done. */
  protected problemOf({ idleAfter }: NextOptions<never, unknown>, request: string): Error | undefined {
    if (idleAfter === undefined) return undefined
    if (Millis.fromInput(idleAfter) !== undefined) {
      return this.behavior.idle === undefined ? new MissingCallback({ server: this.name, callback: "idle" }) : undefined
    }
    return new InvalidOption({
      of: this.name,
      request,
      option: "idleAfter",
      given: idleAfter,
      expected: Millis.expected
    })
  }

  protected failStart(cause: Cause.Cause<unknown>): Effect.Effect<Started, unknown> {
    const reason = this.order?.reason ?? crashed(cause)
    // A typed failure says that something else was not there (a database, a file): it is no evidence against the state.
    const isTyped = Cause.hasFails(cause) && !Cause.hasDies(cause)
    if (this.keeper?.owner === this && !isTyped) this.keeper.observe(reason, this.endOf(reason))
    const isUndone = reason._tag === "NotConserved"
    return this.leaveStart(
      reason,
      isUndone ? Exit.fail(new StartUndone({ server: this.name, cause: reason.cause })) : Exit.failCause(cause)
    )
  }

  /** No incarnation came up: what it had acquired is released before anybody hears of it. */
  protected leaveStart<E>(reason: ExitReason, result: Effect.Effect<Started, E>): Effect.Effect<Started, E> {
    const { life } = this
    if (life === undefined || life.scope.state._tag === "Empty") {
      this.left(reason)
      return result
    }
    const closing = Effect.runForkWith(this.spec.context)(Scope.close(life.scope, Exit.void))
    return Effect.flatMap(Effect.timeoutOption(Fiber.await(closing), this.spec.shutdown), (closed) => {
      // A supervisor may have given up waiting meanwhile.
      if (this.life === life) {
        if (closed._tag === "None") this.publish("Abandoned", {})
        this.left(reason)
      }
      return result
    })
  }
}
