/**
 * A server's mailbox: it belongs to the server, not to its fiber, so it outlives incarnations.
 *
 * First in, first out, per sender and over all. Unbounded by default, as in OTP; with a capacity, what happens when it
 * is full is chosen: the sender waits (`suspend`), is refused (`fail`), or the oldest message gives way
 * (`drop_oldest`).
 *
 * *Tricky*
 * - A sender that waits for room keeps its place: its message is appended when one is taken out, before the sender runs
 *   again, so that a sender resumed later cannot be overtaken by its own next message. It is resumed by the engine when
 *   the message that made room is being handled (`resumeSenders`): what it does then finds the server consistent.
 * - A withdrawn message gives its room back at once, and stays in the list until it is its turn, or until such messages
 *   are the greater part: withdrawing costs no search, and a server that is stuck keeps no million of them. One of the
 *   system's that was taken before its turn leaves its place in the same way. So does a sender that waited for room.
 * - Nothing here looks through what waits: a suspended server takes what is the system's from a list of its own, and
 *   the oldest message is at the head, but for the few of the system's that may be before it.
 *
 * @since 0.1.0
 */
import { Effect, MutableList } from "effect"
import * as Turn from "../../process/Turn.ts"
import type { Envelope, Queued } from "./Envelope.ts"
import type { QueuedCast } from "./MessageType.ts"

/** What happens to a message for a full mailbox. */
export type Overflow = "suspend" | "fail" | "drop_oldest"

/** How many messages may wait, and what happens then. */
export interface MailboxOptions {
  /** Messages that may wait at a time, at least 1 (anything less is refused); unbounded by default. */
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

/** Withdrawn messages, and senders that gave up, that may stay in their list however few others there are. */
const tolerated = 32

/** Whether its sender has not withdrawn it. */
const isWanted = ({ place }: Queued): boolean => place !== "nowhere"
const isWaiting = ({ envelope }: Sender): boolean => envelope.place === "outside"

/** Messages that wait for one server. */
export class Mailbox {
  private readonly capacity: number
  private readonly overflow: Overflow
  private readonly messages = MutableList.make<Queued>()
  private senders: MutableList.MutableList<Sender> | undefined = undefined
  /** How many have given up since these were last looked through; some may have been taken out. */
  private away = 0
  private admitted: Array<() => void> | undefined = undefined
  /** How many of the messages are the system's. */
  private own = 0
  /** These alone, in the same order, while there are any. */
  private ownMessages: MutableList.MutableList<Envelope> | undefined = undefined
  /** How many in the list were withdrawn, or taken before their turn. */
  private withdrawn = 0

  constructor(capacity: number, overflow: Overflow) {
    this.capacity = capacity
    this.overflow = overflow
  }

  /** How many messages wait, senders that wait for room not counted. */
  get size(): number {
    return this.messages.length - this.withdrawn
  }

  /** All that waits, senders that wait for room included; for one that looks, which is seldom. */
  get waiting(): ReadonlyArray<Queued> {
    const outside = this.senders === undefined ? [] : MutableList.toArray(this.senders).filter(isWaiting)
    return [...MutableList.toArray(this.messages).filter(isWanted), ...outside.map(({ envelope }) => envelope)]
  }

  /** Whether a message waits that is not the system's. */
  get hasUsers(): boolean {
    return this.size > this.own
  }

  /** Takes a cast as it is, where messages never have to wait for room nor give way; false elsewhere. */
  post(message: QueuedCast): boolean {
    if (this.capacity !== Infinity) return false
    MutableList.append(this.messages, message)
    return true
  }

  /** A message of the system: it takes no room, is never refused, and never gives way. */
  putOwn(envelope: Envelope): Put {
    this.own++
    this.ownMessages ??= MutableList.make<Envelope>()
    MutableList.append(this.ownMessages, envelope)
    return this.append(envelope)
  }

  put(envelope: Envelope): Put {
    if (this.size - this.own < this.capacity && this.senders === undefined) return this.append(envelope)
    switch (this.overflow) {
      case "fail":
        return full
      case "drop_oldest": {
        const oldest = this.takeOldest()
        this.append(envelope)
        return oldest === undefined ? queued : { _tag: "Dropped", envelope: oldest }
      }
      case "suspend": {
        const sender: Sender = { envelope, resume: undefined }
        envelope.place = "outside"
        this.senders ??= MutableList.make<Sender>()
        MutableList.append(this.senders, sender)
        return { _tag: "Waits", room: this.room(sender) }
      }
    }
  }

  private append(envelope: Envelope): Put {
    envelope.place = "inside"
    MutableList.append(this.messages, envelope)
    return queued
  }

  private room(sender: Sender): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (sender.envelope.place !== "outside") return resume(Effect.void)
      sender.resume = () => resume(Effect.void)
      return Effect.sync(() => {
        if (sender.envelope.place === "outside") sender.envelope.withdraw()
      })
    })
  }

  private takeOldest(): Envelope | undefined {
    const before: Array<Queued> = []
    let oldest: Envelope | undefined
    while (oldest === undefined) {
      const mail = MutableList.take(this.messages)
      if (mail === MutableList.Empty) break
      if (mail.place === "nowhere") this.withdrawn--
      // One that was begun is to be handled again, before all others.
      else if (mail.place === "inside" && mail.work === undefined && mail.attempts === 0) oldest = mail
      else before.push(mail)
    }
    MutableList.prependAllUnsafe(this.messages, before, true)
    if (oldest !== undefined) oldest.place = "nowhere"
    return oldest
  }

  /** Puts a message before all others: it is handled again. */
  putBack(envelope: Envelope): void {
    envelope.place = "inside"
    MutableList.prepend(this.messages, envelope)
  }

  /** Whether what is next is a cast that waits as it was sent, or this message. */
  isNext(message: Envelope): boolean {
    const { head } = this.messages
    const next = head?.array[head.offset]
    return next !== undefined && (next === message || next.place === undefined)
  }

  /** The next message whose sender still wants it. */
  take(): Queued | undefined {
    while (true) {
      const mail = MutableList.take(this.messages)
      if (mail === MutableList.Empty) return undefined
      if (mail.place === undefined) return mail
      if (mail.place === "inside") {
        if (mail.work !== undefined) return this.nextOwn()
        mail.place = "nowhere"
        this.admit()
        return mail
      }
      this.withdrawn--
    }
  }

  /** The next message of the system: all that a suspended server handles. */
  takeOwn(): Envelope | undefined {
    const own = this.nextOwn()
    if (own !== undefined) this.leftBehind()
    return own
  }

  /** The next message of the system if it is a request: an order to stop keeps its place behind what waits. */
  takeRequest(): Envelope | undefined {
    const own = this.nextOwn()
    if (own === undefined) return undefined
    if (own.type.isCall) {
      this.leftBehind()
      return own
    }
    own.place = "inside"
    this.own++
    this.ownMessages ??= MutableList.make<Envelope>()
    MutableList.prepend(this.ownMessages, own)
    return undefined
  }

  /** The first of the system's messages that is still wanted; it keeps its place among the others. */
  private nextOwn(): Envelope | undefined {
    while (this.ownMessages !== undefined) {
      const mail = MutableList.take(this.ownMessages)
      if (mail === MutableList.Empty) break
      if (mail.place !== "inside") continue
      mail.place = "nowhere"
      this.oneOwnLess()
      return mail
    }
    return undefined
  }

  private oneOwnLess(): void {
    this.own--
    if (this.own === 0) this.ownMessages = undefined
  }

  /** Its sender is gone: it will not be taken, and its room is free. */
  withdraw(envelope: Envelope): void {
    const { place } = envelope
    envelope.place = "nowhere"
    if (place === "outside") this.leftTheDoor()
    if (place !== "inside") return
    if (envelope.work !== undefined) this.oneOwnLess()
    this.leftBehind()
    this.admit()
  }

  /** One more in the list that will not be taken from there. */
  private leftBehind(): void {
    this.withdrawn++
    if (this.withdrawn <= tolerated || this.withdrawn <= this.size) return
    const kept = MutableList.takeAll(this.messages).filter(isWanted)
    MutableList.appendAll(this.messages, kept)
    if (this.ownMessages !== undefined) MutableList.filter(this.ownMessages, isWanted)
    this.withdrawn = 0
  }

  /** One more sender that waits for room no longer. */
  private leftTheDoor(): void {
    const { senders } = this
    this.away++
    if (senders === undefined || this.away <= tolerated || this.away <= senders.length - this.away) return
    MutableList.filter(senders, isWaiting)
    this.away = 0
    if (senders.length === 0) this.senders = undefined
  }

  // One left, so one may come in.
  private admit(): void {
    while (this.senders !== undefined && this.size - this.own < this.capacity) {
      const sender = MutableList.take(this.senders)
      if (sender === MutableList.Empty) this.senders = undefined
      else if (isWaiting(sender)) this.letIn(sender)
    }
  }

  private letIn(sender: Sender): void {
    this.append(sender.envelope)
    if (sender.resume !== undefined) (this.admitted ??= []).push(sender.resume)
  }

  /** Lets those go on whose messages have been let in. */
  resumeSenders(): void {
    const { admitted } = this
    if (admitted === undefined) return
    this.admitted = undefined
    for (const resume of admitted) Turn.run(resume)
  }

  /** Everything that waits, taken out; senders that wait for room included, who may then go on. */
  clear(): ReadonlyArray<Queued> {
    while (this.senders !== undefined) {
      const sender = MutableList.take(this.senders)
      if (sender === MutableList.Empty) break
      if (isWaiting(sender)) this.letIn(sender)
    }
    this.senders = undefined
    const all = MutableList.takeAll(this.messages).filter(isWanted)
    for (const mail of all) if (mail.place !== undefined) mail.place = "nowhere"
    this.own = 0
    this.ownMessages = undefined
    this.withdrawn = 0
    return all
  }
}
