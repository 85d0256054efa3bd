/**
 * The callers that were promised a later reply: all of them, and those of calls that may be made again by their keys.
 *
 * @since 0.1.0
 */
import type { Envelope } from "./Envelope.ts"

/** The callers that were promised a later reply. */
export class Promised {
  private readonly all = new Set<Envelope>()
  private byKey: Map<string, Envelope> | undefined = undefined

  get size(): number {
    return this.all.size
  }

  [Symbol.iterator](): Iterator<Envelope> {
    return this.all.values()
  }

  has(envelope: Envelope): boolean {
    return this.all.has(envelope)
  }

  add(envelope: Envelope): void {
    this.all.add(envelope)
    if (envelope.once !== undefined) (this.byKey ??= new Map()).set(envelope.once.key, envelope)
  }

  delete(envelope: Envelope): void {
    if (this.all.delete(envelope) && envelope.once !== undefined) this.byKey?.delete(envelope.once.key)
  }

  /** The call with this key, which was promised a reply. */
  find(key: string): Envelope | undefined {
    return this.byKey?.get(key)
  }

  /** Takes all of them out. */
  clear(): ReadonlyArray<Envelope> {
    const all = Array.from(this.all)
    this.all.clear()
    this.byKey = undefined
    return all
  }
}
