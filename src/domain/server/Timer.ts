/**
 * Timers of a server that outlive it: set or cancelled by an answer, in one commit with the state.
 *
 * Use one for what a server has to do at a date, however long that is, and whatever becomes of the process until then:
 * an auction that closes, an offer that expires, a report each night. For a pause within one incarnation
 * `GenServer.castAfter` is cheaper, for a server that has been idle there is `idleAfter`.
 *
 * @since 0.1.0
 */
import type { DateTime, Duration } from "effect"

/**
 * A timer that an answer sets; `M` is its message.
 *
 * @category models
 * @since 0.1.0
 */
export interface Set<out M> {
  readonly _tag: "At" | "After" | "Every"
  readonly name: string
  /** A date, a delay or a period. */
  readonly when: DateTime.DateTime.Input | Duration.Input
  readonly message: M
}

/**
 * A timer that an answer cancels.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cancel {
  readonly _tag: "Cancel"
  readonly name: string
}

/**
 * What an answer does to one timer; `M` is a message of the server's class.
 *
 * @category models
 * @since 0.1.0
 */
export type Change<M> = Set<M> | Cancel

/**
 * The timer whose message is handled, as its handler's context has it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fired {
  readonly name: string
  /** When it was due, in milliseconds. */
  readonly due: number
  /** Milliseconds since then. */
  readonly late: number
  /** Of one that repeats: how often more it has been due since. Those times are made up for by this one. */
  readonly missed: number
  /**
   * The same whenever this very timer is delivered again: the server, the timer and its due time. For calls to others
   * that must not be handled twice.
   */
  readonly idempotencyKey: string
}

/**
 * A timer that is due at a date.
 *
 * **Details**
 *
 * A name is unique within a server: a timer of the same name is replaced. The message is handled at least once, and
 * what its handler commits counts once, since the timer is gone in the same commit. A date that is past is due at once.
 * The date is the wall clock's, in any form that `DateTime.make` takes; a text without a zone is UTC.
 *
 * **Gotchas**
 *
 * A handler that crashes is given the message again: a second later, and after twice as long each time, up to a minute.
 * All timers of a server are written whenever one changes, so some tens are fine; thousands belong to servers of their
 * own.
 *
 * The `idempotencyKey` of a delivery is made of the server, the name and the date. A timer that was handled and is set
 * again for the same date has the same key: give it another name where the key is handed on to other servers.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { GenServer, Next, Timer } from "heirloom"
 *
 * class Auction extends GenServer.Service<Auction>()("app/Auction", {
 *   state: Schema.Struct({ isOpen: Schema.Boolean }),
 *   messages: {
 *     Open: GenServer.call({ payload: { until: Schema.Number } }),
 *     Close: GenServer.cast({ internal: true })
 *   }
 * }) {}
 *
 * const AuctionLive = Auction.layerKeyed({
 *   init: { isOpen: false },
 *   handlers: {
 *     Open: (_, { until }) =>
 *       Next.reply(undefined, { isOpen: true }, { timers: [Timer.at("close", until, Auction.message.Close())] }),
 *     Close: () => ({ isOpen: false })
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const at = <M>(name: string, date: DateTime.DateTime.Input, message: M): Change<M> => ({
  _tag: "At",
  name,
  when: date,
  message
})

/**
 * A timer that is due after a delay, by the wall clock; otherwise as {@link at}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const after = <M>(name: string, delay: Duration.Input, message: M): Change<M> => ({
  _tag: "After",
  name,
  when: delay,
  message
})

/**
 * A timer that is due again and again, for the first time after one period; otherwise as {@link at}.
 *
 * **Details**
 *
 * After a long absence it is delivered once: the handler's context says how often it was `missed`. It keeps its beat:
 * the next time is a whole number of periods after the first. To set it again begins it anew.
 *
 * @category constructors
 * @since 0.1.0
 */
export const every = <M>(name: string, period: Duration.Input, message: M): Change<M> => ({
  _tag: "Every",
  name,
  when: period,
  message
})

/**
 * Cancels a timer; does nothing when none of that name is set.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cancel = (name: string): Change<never> => ({ _tag: "Cancel", name })
