/**
 * The children of a dynamic supervisor: each with the spec it shares with those that are alike, or with a record of its own
 * while it is not simply running.
 *
 * *Tricky*: most starts and restarts are over before anybody looks, so a child that is being brought up is only remembered
 * as that (`bring`), one at a time, and nothing is written down. Whoever looks has the record made (`look`), and from then
 * on it counts. The supervisor's own decisions never look: what they ask is `get`.
 *
 * @since 0.1.0
 */
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Child } from "../../process/Child.ts"
import { type Exceptional, exceptional, isExceptional } from "./DynamicChild.ts"
import { Roster } from "./Roster.ts"

/** The children of one dynamic supervisor. */
export class DynamicChildren {
  /** How many of them are supervisors. */
  supervisors = 0
  private known = new Roster<Child, ChildSpec | Exceptional>()
  private inactive = 0
  /** The child that is being brought up, while nobody has looked; and its record once somebody has. */
  private unseen: Child | undefined = undefined
  private spec: ChildSpec | undefined = undefined
  private status: "starting" | "reviving" = "starting"
  private seen: Exceptional | undefined = undefined

  /** All of them, as whoever looks may see them. */
  list(): ReadonlyArray<Child> {
    this.look()
    return this.known.list()
  }

  get size(): number {
    this.look()
    return this.known.size
  }

  /** How many have an incarnation alive. */
  get active(): number {
    return this.size - this.inactive
  }

  get(child: Child): ChildSpec | Exceptional | undefined {
    return this.known.get(child)
  }

  /** Remembers that a child is being brought up; false when another one is already, and it has to be written down. */
  bring(child: Child, spec: ChildSpec, status: "starting" | "reviving"): boolean {
    if (this.unseen !== undefined || this.seen !== undefined) return false
    this.unseen = child
    this.spec = spec
    this.status = status
    return true
  }

  /** The attempt is over: the record, if somebody has looked meanwhile. */
  brought(): Exceptional | undefined {
    const { seen } = this
    this.unseen = undefined
    this.spec = undefined
    this.seen = undefined
    return seen
  }

  /** Whether somebody has made something else of the child that is being brought up. */
  isTaken(child: Child): boolean {
    return this.seen !== undefined && this.known.get(child) !== this.seen
  }

  /** Writes down what has not been yet. */
  look(): void {
    const { spec, unseen } = this
    if (unseen === undefined) return
    this.unseen = undefined
    this.seen = this.note(unseen, spec!, this.status)
  }

  /** Gives a child a fresh record. */
  note(child: Child, spec: ChildSpec, status: Exceptional["status"]): Exceptional {
    const record = exceptional(spec, status)
    this.put(child, record)
    return record
  }

  /** A child is in another state than before; or new here, and not up yet. */
  put(child: Child, entry: ChildSpec | Exceptional): void {
    const before = this.known.get(child)
    if (before === undefined) this.count(child, 1)
    else if (isInactive(before)) this.inactive--
    if (isInactive(entry)) this.inactive++
    this.known.set(child, entry)
  }

  /** A child came up before anybody knew of it. */
  join(child: Child, spec: ChildSpec): void {
    this.count(child, 1)
    this.known.add(child, spec)
  }

  /** Forgets a child; false when it is none of these. */
  drop(child: Child): boolean {
    const entry = this.known.get(child)
    if (entry === undefined) return false
    if (isInactive(entry)) this.inactive--
    this.known.delete(child)
    this.count(child, -1)
    return true
  }

  /** Forgets them all: who they were. */
  clear(): ReadonlyArray<Child> {
    const children = this.list()
    this.known = new Roster()
    this.supervisors = 0
    this.inactive = 0
    return children
  }

  private count(child: Child, by: 1 | -1): void {
    if (child.kind === "supervisor") this.supervisors += by
  }
}

const isInactive = (entry: ChildSpec | Exceptional): boolean => isExceptional(entry) && entry.status !== "stopping"
