/**
 * What a scope of process groups holds: who is a member of what, and who is told.
 *
 * Every method is one synchronous step. Use `Groups`; this is its inside.
 *
 * *Tricky*: a member is observed while it has a membership anywhere, counted, so that its end finds exactly what is left of
 * it, and nothing is left on any member of groups that were shut down.
 *
 * @since 0.1.0
 */
import { type Cause, Equal, HashMap, Option, Queue } from "effect"
import * as Membership from "../../domain/naming/Membership.ts"
import type { GroupsErrorReason } from "./GroupsError.ts"
import { type GoneObserver, type HasProcess, type Process, processOf } from "./Process.ts"

/** What a monitor is told: who joined or left, as often as they did. */
export interface GroupEvent<out G, out R> {
  readonly _tag: "Joined" | "Left"
  readonly group: G
  readonly members: ReadonlyArray<R>
}

/** Who is told, of one group or of all. */
export interface Listener<G, R> {
  readonly group: Option.Option<G>
  readonly queue: Queue.Queue<GroupEvent<G, R>, Cause.Done>
}

/** The groups a member is in, each with how often it joined. */
interface Joined<G> {
  readonly groups: HashMap.HashMap<G, number>
  readonly observer: GoneObserver
}

/** Two references to one process are the same member. */
const isSameProcess = (a: HasProcess, b: HasProcess): boolean => a[processOf] === b[processOf]

const isAlive = (ref: HasProcess): boolean => ref[processOf].status !== "stopped"

/** Who is a member of what, and who is told. */
export class MemberTable<G, R extends HasProcess> {
  private groups = HashMap.empty<G, ReadonlyArray<R>>()
  private readonly joined = new Map<Process, Joined<G>>()
  private readonly listeners = new Set<Listener<G, R>>()
  private isClosed = false

  join(group: G, joining: ReadonlyArray<R>): GroupsErrorReason | undefined {
    if (this.isClosed) return { _tag: "GroupsClosed", group }
    const ended = joining.find((ref) => !isAlive(ref))
    if (ended !== undefined) return { _tag: "NotAlive", group, path: ended[processOf].path }
    for (const ref of joining) this.remember(ref[processOf], group)
    this.groups = HashMap.set(this.groups, group, Membership.join(this.raw(group), joining))
    this.tell("Joined", group, joining)
    return undefined
  }

  leave(group: G, leaving: ReadonlyArray<R>): GroupsErrorReason | undefined {
    if (this.isClosed) return { _tag: "GroupsClosed", group }
    return this.remove(group, leaving) ? undefined : { _tag: "NotJoined", group }
  }

  of(group: G): ReadonlyArray<R> {
    return this.raw(group).filter(isAlive)
  }

  all(): ReadonlyArray<readonly [group: G, members: ReadonlyArray<R>]> {
    return Array.from(this.groups, ([group, members]) => [group, members.filter(isAlive)] as const)
      .filter(([, members]) => members.length > 0)
  }

  listen(listener: Listener<G, R>): void {
    if (this.isClosed) Queue.endUnsafe(listener.queue)
    else this.listeners.add(listener)
  }

  unlisten(listener: Listener<G, R>): void {
    this.listeners.delete(listener)
  }

  close(): void {
    this.isClosed = true
    for (const [member, { observer }] of this.joined) member.removeGoneObserver(observer)
    this.joined.clear()
    this.groups = HashMap.empty()
    for (const { queue } of this.listeners) Queue.endUnsafe(queue)
    this.listeners.clear()
  }

  private raw(group: G): ReadonlyArray<R> {
    return Option.getOrElse(HashMap.get(this.groups, group), () => [])
  }

  private remove(group: G, leaving: ReadonlyArray<R>): boolean {
    const { left, members } = Membership.leave(this.raw(group), leaving, isSameProcess)
    if (left.length === 0) return false
    this.groups = members.length === 0
      ? HashMap.remove(this.groups, group)
      : HashMap.set(this.groups, group, members)
    for (const ref of left) this.forget(ref[processOf], group)
    this.tell("Left", group, left)
    return true
  }

  private remember(member: Process, group: G): void {
    const known = this.joined.get(member)
    const count = known === undefined ? 0 : Option.getOrElse(HashMap.get(known.groups, group), () => 0)
    const observer = known?.observer ?? (() => this.gone(member))
    if (known === undefined) member.addGoneObserver(observer)
    this.joined.set(member, {
      groups: HashMap.set(known?.groups ?? HashMap.empty<G, number>(), group, count + 1),
      observer
    })
  }

  private forget(member: Process, group: G): void {
    const known = this.joined.get(member)
    if (known === undefined) return
    const count = Option.getOrElse(HashMap.get(known.groups, group), () => 0) - 1
    const groups = count > 0 ? HashMap.set(known.groups, group, count) : HashMap.remove(known.groups, group)
    if (!HashMap.isEmpty(groups)) {
      this.joined.set(member, { ...known, groups })
      return
    }
    this.joined.delete(member)
    member.removeGoneObserver(known.observer)
  }

  private gone(member: Process): void {
    const groups = this.joined.get(member)?.groups
    if (groups === undefined) return
    // First, so that nothing is taken off a member that is telling its observers.
    this.joined.delete(member)
    for (const group of HashMap.keys(groups)) {
      this.remove(group, this.raw(group).filter((ref) => ref[processOf] === member))
    }
  }

  private tell(_tag: GroupEvent<G, R>["_tag"], group: G, members: ReadonlyArray<R>): void {
    for (const listener of this.listeners) {
      if (Option.isNone(listener.group) || Equal.equals(listener.group.value, group)) {
        Queue.offerUnsafe(listener.queue, { _tag, group, members })
      }
    }
  }
}
