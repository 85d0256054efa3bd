/**
 * Those who watch: what each looks at, what it was sent last, and what waits for it.
 *
 * A reader is sent what differs from what it was sent before, and nothing more while that is not taken: a slow one
 * misses looks, not changes, and costs one screen of memory. One that takes nothing for too long is let go, and is said
 * so.
 *
 * @since 0.1.0
 */
import { type Cause, Queue } from "effect"
import { between } from "../../domain/observer/Difference.ts"
import type { View } from "../../domain/observer/Requests.ts"
import { type Change, type Screen, type Snapshot, untouched } from "../../domain/observer/Wire.ts"

/** How long a reader may take nothing, in milliseconds. */
export const patience = 10_000

/** The most readers at a time. */
export const maxReaders = 32

/** What is said of the source in each snapshot. */
export type Source = Pick<Snapshot, "source" | "startedAt" | "actions" | "about">

/** What a reader looks at before it has said so. */
export const firstView = (reader: string): View => ({
  ...untouched,
  reader,
  count: 100
})

/** An event of the stream, as text. */
export const eventText = (event: "snapshot" | "change" | "dropped", data: unknown): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** One who watches. */
export class Reader {
  readonly id: string
  readonly queue: Queue.Queue<string, Cause.Done>
  view: View
  /** Kept beside the view: asked for each line. */
  opened: ReadonlySet<number> = new Set()
  closed: ReadonlySet<number> = new Set()
  private sent: Screen | undefined = undefined
  private seq = 0
  private behindSince: number | undefined = undefined

  constructor(id: string, queue: Queue.Queue<string, Cause.Done>) {
    this.id = id
    this.queue = queue
    this.view = firstView(id)
  }

  looksAt(view: View): void {
    this.view = view
    this.opened = new Set(view.opened)
    this.closed = new Set(view.closed)
  }

  /** Whether what it was sent last is still to be taken; false, for good, when it is let go for that. */
  isReady(now: number): boolean | "gone" {
    if (Queue.sizeUnsafe(this.queue) === 0) {
      this.behindSince = undefined
      return true
    }
    this.behindSince ??= now
    return now - this.behindSince < patience ? false : "gone"
  }

  /** Sends what is new. */
  send(now: number, screen: Screen, source: Source): void {
    const { sent } = this
    this.sent = screen
    const seq = this.seq++
    if (sent === undefined) {
      const snapshot: Snapshot = { ...source, reader: this.id, seq, capturedAt: now, screen }
      return void Queue.offerUnsafe(this.queue, eventText("snapshot", snapshot))
    }
    const change: Change = { seq, capturedAt: now, ...between(sent, screen) }
    Queue.offerUnsafe(this.queue, eventText("change", change))
  }
}
