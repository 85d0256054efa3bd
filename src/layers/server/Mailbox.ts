/**
 * A server's mailbox: it belongs to the server, not to its fiber, so it outlives incarnations.
 *
 * First in, first out, per sender and over all. Unbounded by default, as in OTP; with a capacity, what happens when it is
 * full is chosen: the sender waits (`suspend`), is refused (`fail`), or the oldest message gives way (`drop_oldest`).
 *
 * *Tricky*: a sender that waits for room keeps its place: its message is appended by whoever takes one out, before the
 * sender runs again, so that a sender resumed later cannot be overtaken by its own next message.
 *
 * @since 0.1.0
 */
import { Effect, MutableList } from "effect"
import * as Turn from "../supervision/Turn.ts"
import type { Envelope } from "./Envelope.ts"

/** What happens to a message for a full mailbox. */
export type Overflow = "suspend" | "fail" | "drop_oldest"

/** How many messages may wait, and what happens then. */
export interface MailboxOptions {
  /** Messages that may wait at a time; unbounded by default. */
  readonly capacity?: number | undefined
  /** `"suspend"` by default. */
  readonly overflow?: Overflow | undefined
}

/** What became of a message that was put in. */
export type Put =
  | { readonly _tag: "Queued" }
  | { readonly _tag: "Full" }
  | { readonly _tag: "Dropped"; readonly envelope: Envelope }
  | { readonly _tag: "Waits"; readonly room: Effect.Effect<void> }

const queued: Put = { _tag: "Queued" }
const full: Put = { _tag: "Full" }

interface Sender {
  readonly envelope: Envelope
  resume: (() => void) | undefined
}

/** Messages that wait for one server. */
export class Mailbox {
  private readonly messages = MutableList.make<Envelope>()
  private senders: MutableList.MutableList<Sender> | undefined = undefined
  /** How many of the messages are the system's. */
  private own = 0

  /** How many messages wait, senders that wait for room not counted. */
  get size(): number {
    return this.messages.length
  }

  /** Whether a message waits that is not the system's. */
  get hasUsers(): boolean {
    return this.messages.length > this.own
  }

  /** A message of the system: it takes nobody's room, is never refused, and never gives way. */
  putOwn(envelope: Envelope): Put {
    this.own++
    MutableList.append(this.messages, envelope)
    return queued
  }

  put(envelope: Envelope, capacity: number, overflow: Overflow): Put {
    if (this.messages.length - this.own < capacity && this.senders === undefined) {
      MutableList.append(this.messages, envelope)
      return queued
    }
    switch (overflow) {
      case "fail":
        return full
      case "drop_oldest": {
        const oldest = this.takeOldest()
        MutableList.append(this.messages, envelope)
        return oldest === undefined ? queued : { _tag: "Dropped", envelope: oldest }
      }
      case "suspend": {
        const sender: Sender = { envelope, resume: undefined }
        this.senders ??= MutableList.make<Sender>()
        MutableList.append(this.senders, sender)
        return { _tag: "Waits", room: this.room(sender) }
      }
    }
  }

  private room(sender: Sender): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (sender.envelope.queued) return resume(Effect.void)
      sender.resume = () => resume(Effect.void)
      return Effect.sync(() => {
        sender.envelope.gone = true
      })
    })
  }

  private takeOldest(): Envelope | undefined {
    if (this.own === 0) {
      const oldest = MutableList.take(this.messages)
      return oldest === MutableList.Empty ? undefined : oldest
    }
    const oldest = MutableList.toArray(this.messages).find((envelope) => envelope.work === undefined)
    if (oldest !== undefined) MutableList.remove(this.messages, oldest)
    return oldest
  }

  /** Puts a message before all others: it is handled again, or its turn was taken from it. */
  putBack(envelope: Envelope): void {
    MutableList.prepend(this.messages, envelope)
  }

  /** The next message whose sender still wants it. */
  take(): Envelope | undefined {
    while (true) {
      const envelope = MutableList.take(this.messages)
      if (envelope === MutableList.Empty) return undefined
      if (envelope.work !== undefined) this.own--
      else this.admit()
      if (!envelope.gone) return envelope
    }
  }

  /** The next message of the system: all that a suspended server handles. */
  takeOwn(): Envelope | undefined {
    while (this.own > 0) {
      const own = MutableList.toArray(this.messages).find((envelope) => envelope.work !== undefined)
      if (own === undefined) return undefined
      MutableList.remove(this.messages, own)
      this.own--
      if (!own.gone) return own
    }
    return undefined
  }

  // One left, so one may come in: its sender goes on, on a turn of its own.
  private admit(): void {
    while (this.senders !== undefined) {
      const sender = MutableList.take(this.senders)
      if (sender === MutableList.Empty || this.senders.length === 0) this.senders = undefined
      if (sender === MutableList.Empty) return
      if (sender.envelope.gone) continue
      sender.envelope.queued = true
      MutableList.append(this.messages, sender.envelope)
      if (sender.resume !== undefined) Turn.run(sender.resume)
      return
    }
  }

  /** Everything that waits, taken out; senders that wait for room included. */
  clear(): ReadonlyArray<Envelope> {
    const all = MutableList.takeAll(this.messages)
    this.own = 0
    while (this.senders !== undefined) {
      const sender = MutableList.take(this.senders)
      if (sender === MutableList.Empty) break
      sender.envelope.queued = true
      all.push(sender.envelope)
      if (sender.resume !== undefined) Turn.run(sender.resume)
    }
    this.senders = undefined
    return all.filter((envelope) => !envelope.gone)
  }
}
