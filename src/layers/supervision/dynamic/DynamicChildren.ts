/**
 * The children of a dynamic supervisor: each with the spec it shares with those that are alike, or with a record of its
 * own while it is not simply running.
 *
 * Which status follows which is `domain/supervision/DynamicChild`.
 *
 * *Tricky*: most starts and restarts are over before anything reads the children, so a child that is being brought up
 * is only remembered as that (`bring`), one at a time, and nothing is written down. A reader from outside has its
 * record made (`materialize`), and from then on that counts. The supervisor's own decisions ask `get`, which makes
 * nothing.
 *
 * @since 0.1.0
 */
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import { type Event, isActive, next } from "../../../domain/supervision/DynamicChild.ts"
import type { Child } from "../../process/Child.ts"
import { type Entry, type Exceptional, exceptional, isExceptional, specOf, statusOf } from "./DynamicChild.ts"
import { Roster } from "./Roster.ts"

/** The child that is being brought up, and its record once something has asked for it. */
interface Bringing {
  readonly child: Child
  readonly spec: ChildSpec
  readonly status: "starting" | "reviving"
  record: Exceptional | undefined
}

/** The children of one dynamic supervisor. */
export class DynamicChildren {
  /** How many of them are supervisors. */
  supervisors = 0
  /** How many of them have a record of their own. */
  exceptional = 0
  private readonly known = new Roster<Child, Entry>()
  private inactive = 0
  private bringing: Bringing | undefined = undefined

  // ---- for readers from outside

  list(): ReadonlyArray<Child> {
    this.materialize()
    return this.known.list()
  }

  get size(): number {
    this.materialize()
    return this.known.size
  }

  /** How many have an incarnation alive. */
  get active(): number {
    return this.size - this.inactive
  }

  /** What is known of a child, also of the one that is being brought up. */
  look(child: Child): Entry | undefined {
    this.materialize()
    return this.known.get(child)
  }

  /** Gives the child that is being brought up its record. */
  materialize(): void {
    const { bringing } = this
    if (bringing === undefined || bringing.record !== undefined) return
    bringing.record = this.note(bringing.child, bringing.spec, bringing.status)
  }

  // ---- the child that is being brought up

  /** Remembers that a child is being brought up; false when another one is already, and it has to be written down. */
  bring(child: Child, spec: ChildSpec, status: "starting" | "reviving"): boolean {
    if (this.bringing !== undefined) return false
    this.bringing = { child, spec, status, record: undefined }
    return true
  }

  /** The attempt is over: the record, if one was made meanwhile. */
  brought(): Exceptional | undefined {
    const record = this.bringing?.record
    this.bringing = undefined
    return record
  }

  /** Whether the child that is being brought up has taken another step meanwhile. */
  get isOvertaken(): boolean {
    const { bringing } = this
    return bringing?.record !== undefined && this.known.get(bringing.child) !== bringing.record
  }

  // ---- steps

  /** What is known of a child, but for one that is being brought up. */
  get(child: Child): Entry | undefined {
    return this.known.get(child)
  }

  /** Takes the step that an event means for a child: the record it has then, if it has one of its own. */
  step(child: Child, entry: Entry, event: Event): Exceptional | undefined {
    const status = next(statusOf(entry), event)
    switch (status) {
      case undefined:
        return undefined
      case "gone": {
        this.drop(child)
        return undefined
      }
      case "running": {
        this.put(child, specOf(entry))
        return undefined
      }
      default:
        return this.note(child, specOf(entry), status)
    }
  }

  /** Gives a child a fresh record. */
  note(child: Child, spec: ChildSpec, status: Exceptional["status"]): Exceptional {
    const record = exceptional(spec, status)
    this.put(child, record)
    return record
  }

  /** A child came up before anything asked for it. */
  join(child: Child, spec: ChildSpec): void {
    this.count(child, 1)
    this.known.add(child, spec)
  }

  private drop(child: Child): void {
    const entry = this.known.get(child)
    if (entry === undefined) return
    this.leave(entry)
    this.known.delete(child)
    this.count(child, -1)
  }

  private put(child: Child, entry: Entry): void {
    const before = this.known.get(child)
    if (before === undefined) this.count(child, 1)
    else this.leave(before)
    if (isExceptional(entry)) this.exceptional++
    if (isInactive(entry)) this.inactive++
    this.known.set(child, entry)
  }

  /** What is known of a child no longer holds. */
  private leave(entry: Entry): void {
    if (!isExceptional(entry)) return
    this.exceptional--
    if (isInactive(entry)) this.inactive--
    entry.cancel?.()
  }

  private count(child: Child, by: 1 | -1): void {
    if (child.kind === "supervisor") this.supervisors += by
  }
}

const isInactive = (entry: Entry): boolean => isExceptional(entry) && !isActive(entry.status)
