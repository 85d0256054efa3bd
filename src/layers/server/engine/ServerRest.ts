/**
 * What a server does between messages: continuations, idle timeouts, hibernation.
 *
 * *Tricky*
 * - Whatever is pending makes it `Attentive`, so that the direct path of calls asks for one phase only.
 * - A state that has left memory is waited for in the same way: messages wait in the mailbox until it is back.
 *
 * @since 0.1.0
 */
import { Duration, Effect } from "effect"
import * as Millis from "../../../domain/options/Millis.ts"
import type { NextOptions } from "../../../domain/server/Next.ts"
import * as Passivation from "../../../domain/state/Passivation.ts"
import type * as Turn from "../../process/Turn.ts"
import { Envelope } from "../message/Envelope.ts"
import { ownCast } from "../message/MessageType.ts"
import type { Work } from "../message/MessageType.ts"
import { Attentive, Busy, Idle, passivated } from "../parts/Phase.ts"
import { ServerStart } from "./ServerStart.ts"

export const noOptions: NextOptions<never, unknown> & { readonly info?: unknown } = {}

/** What a server does between messages. */
export abstract class ServerRest extends ServerStart implements Turn.Ready {
  protected abstract handle(envelope: Envelope): Envelope

  protected wantTurn(): void {
    if (!this.draining) this.spec.turns.push(this)
  }

  /** The message in hand is done with: what comes next is whatever waits. */
  protected idle(options: NextOptions<never, unknown> = noOptions): void {
    this.inHand = undefined
    this.fiber = undefined
    if (options !== noOptions) this.attend(options)
    this.phase = this.order === undefined && (this.extras === undefined || this.extras.isCalm) ? Idle : Attentive
    if (this.mailbox !== undefined || this.phase === Attentive) this.wantTurn()
  }

  protected attend(options: NextOptions<never, unknown>): void {
    // It is for the state that was committed a moment ago, and gets that one.
    if (options.continueWith !== undefined) this.rare.pending = options.continueWith as Work
    else if (options.idleAfter !== undefined) this.awaitIdle(options.idleAfter)
    if (options.hibernate === true) this.hibernate()
  }

  /** Notes when no message has come for that long; no time at all is over at once. */
  protected awaitIdle(duration: Duration.Input): void {
    const extras = this.rare
    extras.cancelIdle()
    const millis = Millis.fromInput(duration)!
    if (millis <= 0) {
      extras.idleDue = true
      return
    }
    const timer = Effect.runForkWith(this.spec.context)(this.spec.clock.sleep(Duration.millis(millis)))
    extras.idleTimer = timer
    timer.addObserver((exit) => {
      if (extras.idleTimer !== timer || exit._tag === "Failure") return
      extras.idleTimer = undefined
      extras.idleDue = true
      if (this.phase === Attentive) this.wantTurn()
    })
  }

  /** No message has come for as long as was asked, unless one waits by now: it beats the timeout. */
  protected handleIdle(): void {
    this.rare.idleDue = false
    const { idle } = this.behavior
    if (idle !== undefined && this.mailbox?.hasUsers !== true) this.rare.pending = idle
    else this.phase = this.rare.isCalm ? Idle : Attentive
  }

  /** Drops what is made again when it is needed; a state that a store holds, too, as soon as it does. */
  protected hibernate(): void {
    this.dropSpare()
    const standing = this.keeper?.standing(this.state) ?? "kept"
    if (standing !== "kept") this.rest()
  }

  /** An incarnation that has acquired nothing needs no Scope to wait in. */
  protected dropSpare(): void {
    if (this.spec.shared !== undefined && this.life?.scope.state._tag === "Empty") this.life = undefined
    if (this.extras?.isSpare === true) this.extras = undefined
  }

  /** Waits until the state is stored: held as an answer is, and after those that are held already. */
  protected rest(): void {
    const extras = this.rare
    const rest = { isStored: false }
    extras.rest = rest
    const stored = () => {
      rest.isStored = true
      if (extras.rest === rest && this.phase === Attentive) this.wantTurn()
    }
    this.keeper!.hold({ stored, lost: () => {} })
  }

  /** The state leaves memory, unless it is needed by now. */
  protected passivate(): void {
    const extras = this.rare
    const standing = this.keeper!.standing(this.state)
    const decision = Passivation.decide({ standing, waiting: this.mailboxSize, promised: extras.deferred.size })
    if (decision === "wait") return this.rest()
    extras.rest = undefined
    this.phase = extras.isCalm ? Idle : Attentive
    if (decision === "stay") return
    this.keeper!.passivate()
    this.state = passivated
    this.phase = Attentive
    this.dropSpare()
    this.publish("StatePassivated", {})
  }

  /** Whether its state has left memory, and nothing waits that would bring it back. */
  get isHibernating(): boolean {
    return this.phase === Attentive && this.state === passivated && !this.isWanted
  }

  /** Whether there is something to do that needs the state. */
  protected get isWanted(): boolean {
    return this.extras?.pending !== undefined || this.extras?.idleDue === true || this.mailboxSize > 0
  }

  /** Brings the state back, in a fiber of its own; messages wait meanwhile. */
  protected activate(): void {
    this.phase = Busy
    const { protect } = this.spec
    const loaded = Effect.map(this.keeper!.activate, (state) => protect === undefined ? state : protect(state))
    this.run(loaded, (exit) => {
      if (exit._tag === "Failure") return this.end(this.order?.reason ?? { _tag: "NotConserved", cause: exit.cause })
      this.state = exit.value
      this.publish("StateActivated", {})
      this.idle()
    })
  }

  /** Runs what comes before anything queued, as a message that nobody waits for. */
  protected handlePending(): void {
    const work = this.rare.pending
    this.rare.rest = undefined
    this.rare.pending = undefined
    this.handle(new Envelope(this, ownCast, undefined, undefined, work))
  }
}
