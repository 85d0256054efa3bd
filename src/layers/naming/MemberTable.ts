/**
 * The table of a scope of process groups: its memberships, and its monitors.
 *
 * Every method is one synchronous step. Use `Groups`; this is its inside.
 *
 * *Tricky*
 * - A member is observed while it has a membership anywhere, so that its end finds exactly what is left of it, and
 *   nothing is left on any member of groups that were shut down.
 * - A member that has ended may be started again, and has its memberships back then. They are kept with it, so that
 *   they go with a member that does not come back.
 * - Every membership is known twice, in its group by age and with its member: joining, leaving and ending take as long
 *   as what they concern, however many members a group has. They do as `Membership` says of plain lists.
 *
 * @since 0.1.0
 */
import { type Cause, Equal, HashMap, Option, Queue } from "effect"
import { inherited } from "../../domain/naming/Origin.ts"
import * as OneOrMany from "../process/OneOrMany.ts"
import { incarnationOf } from "../process/Own.ts"
import { type GoneObserver, type HasProcess, type Process, processOf } from "../process/Process.ts"
import type { GroupsErrorReason } from "./GroupsError.ts"

/**
 * An event of a monitor: the processes that joined or left, as often as they did.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupEvent<out G, out R> {
  readonly _tag: "Joined" | "Left"
  readonly group: G
  readonly members: ReadonlyArray<R>
}

/** The monitors of one group or of all. */
export interface Listener<G, R> {
  readonly group: Option.Option<G>
  readonly queue: Queue.Queue<GroupEvent<G, R>, Cause.Done>
}

/** One joining of one member. */
interface Membership<R> {
  readonly ref: R
  /** The incarnation that joined of itself; 0 when others had it join. */
  by: number
}

/** A group that has members. */
interface Group<G, R> {
  readonly name: G
  members: OneOrMany.OneOrMany<Membership<R>>
}

/** The groups a member is in, each with its memberships, the youngest last. */
interface Joined<G, R> {
  readonly groups: Map<Group<G, R>, Array<Membership<R>>>
  readonly observer: GoneObserver
}

const isAlive = (ref: HasProcess): boolean => ref[processOf].status !== "stopped"

/** Members and monitors of all groups of a scope. */
export class MemberTable<G, R extends HasProcess> {
  private groups = HashMap.empty<G, Group<G, R>>()
  private readonly joined = new Map<Process, Joined<G, R>>()
  /** What members that have ended get back when they are started again. */
  private readonly away = new WeakMap<Process, Array<readonly [group: G, memberships: Array<Membership<R>>]>>()
  /** Listeners to all groups. */
  private readonly listeners = new Set<Listener<G, R>>()
  /** Listeners to one. */
  private groupListeners = HashMap.empty<G, OneOrMany.OneOrMany<Listener<G, R>>>()
  private isClosed = false

  join(name: G, joining: ReadonlyArray<R>): GroupsErrorReason | undefined {
    if (this.isClosed) return { _tag: "GroupsClosed", group: name }
    const ended = joining.find((ref) => !isAlive(ref))
    if (ended !== undefined) return { _tag: "NotAlive", group: name, path: ended[processOf].path }
    const joined = joining.filter((ref) => this.enter(name, ref))
    if (joined.length > 0 || joining.length === 0) this.tell("Joined", name, joined)
    return undefined
  }

  leave(name: G, leaving: ReadonlyArray<R>): GroupsErrorReason | undefined {
    if (this.isClosed) return { _tag: "GroupsClosed", group: name }
    const group = Option.getOrUndefined(HashMap.get(this.groups, name))
    const left: Array<R> = []
    let given = false
    for (const ref of leaving) {
      const membership = group && this.quit(group, ref[processOf])
      if (membership !== undefined) left.push(membership.ref)
      else if (this.giveUp(name, ref[processOf])) given = true
    }
    if (group !== undefined && left.length > 0) this.left(group, left)
    else if (!given) return { _tag: "NotJoined", group: name }
    return undefined
  }

  of(name: G): ReadonlyArray<R> {
    return Option.match(HashMap.get(this.groups, name), { onNone: () => [], onSome: living })
  }

  all(): ReadonlyArray<readonly [group: G, members: ReadonlyArray<R>]> {
    return Array.from(HashMap.values(this.groups), (group) => [group.name, living(group)] as const)
      .filter(([, members]) => members.length > 0)
  }

  listen(listener: Listener<G, R>): void {
    if (this.isClosed) Queue.endUnsafe(listener.queue)
    else if (Option.isNone(listener.group)) this.listeners.add(listener)
    else this.setListeners(listener.group.value, OneOrMany.add(this.listenersOf(listener.group.value), listener))
  }

  unlisten(listener: Listener<G, R>): void {
    if (Option.isNone(listener.group)) this.listeners.delete(listener)
    else this.setListeners(listener.group.value, OneOrMany.remove(this.listenersOf(listener.group.value), listener))
  }

  close(): void {
    this.isClosed = true
    for (const [member, { observer }] of this.joined) member.removeGoneObserver(observer)
    this.joined.clear()
    this.groups = HashMap.empty()
    const end = ({ queue }: Listener<G, R>) => void Queue.endUnsafe(queue)
    this.listeners.forEach(end)
    this.listeners.clear()
    for (const listeners of HashMap.values(this.groupListeners)) OneOrMany.forEach(listeners, end)
    this.groupListeners = HashMap.empty()
  }

  private opened(name: G): Group<G, R> {
    const known = HashMap.get(this.groups, name)
    if (Option.isSome(known)) return known.value
    const group: Group<G, R> = { name, members: undefined }
    this.groups = HashMap.set(this.groups, name, group)
    return group
  }

  /** One membership more; false when it takes the place of one of an incarnation before. */
  private enter(name: G, ref: R): boolean {
    const member = ref[processOf]
    const by = incarnationOf(member)
    const group = this.opened(name)
    const again = inherited(this.joined.get(member)?.groups.get(group) ?? [], by)
    if (again === undefined) this.add(group, { ref, by })
    else again.by = by
    return again === undefined
  }

  private add(group: Group<G, R>, membership: Membership<R>): void {
    group.members = OneOrMany.add(group.members, membership)
    const { groups } = this.remember(membership.ref[processOf])
    const own = groups.get(group)
    if (own === undefined) groups.set(group, [membership])
    else own.push(membership)
  }

  /** Ends the youngest membership of a process in a group, if it has any. */
  private quit(group: Group<G, R>, member: Process): Membership<R> | undefined {
    const known = this.joined.get(member)
    const own = known?.groups.get(group)
    const membership = own?.pop()
    if (known === undefined || own === undefined || membership === undefined) return undefined
    group.members = OneOrMany.remove(group.members, membership)
    if (own.length === 0) known.groups.delete(group)
    if (known.groups.size === 0) {
      this.joined.delete(member)
      member.removeGoneObserver(known.observer)
    }
    return membership
  }

  private remember(member: Process): Joined<G, R> {
    const known = this.joined.get(member)
    if (known !== undefined) return known
    const joined: Joined<G, R> = { groups: new Map(), observer: () => this.gone(member) }
    this.joined.set(member, joined)
    member.addGoneObserver(joined.observer)
    return joined
  }

  private gone(member: Process): void {
    const groups = this.joined.get(member)?.groups
    if (groups === undefined) return
    // First, so that nothing is taken off a member that is telling its observers.
    this.joined.delete(member)
    for (const [group, memberships] of groups) {
      for (const membership of memberships) group.members = OneOrMany.remove(group.members, membership)
      this.left(group, memberships.map(({ ref }) => ref).reverse())
    }
    const away = Array.from(groups, ([group, memberships]) => [group.name, memberships] as const)
    if (member.addReturnObserver(() => this.returned(member))) this.away.set(member, away)
  }

  /** A member is back. */
  private returned(member: Process): void {
    const away = this.away.get(member)
    this.away.delete(member)
    if (away === undefined || this.isClosed) return
    for (const [name, memberships] of away) {
      if (memberships.length === 0) continue
      const group = this.opened(name)
      for (const membership of memberships) this.add(group, membership)
      this.tell("Joined", name, memberships.map(({ ref }) => ref))
    }
  }

  /** One that has ended will have one membership less when it is back; false when it would have none. */
  private giveUp(name: G, member: Process): boolean {
    const found = this.away.get(member)?.find(([group]) => Equal.equals(group, name))
    return found?.[1].pop() !== undefined
  }

  private left(group: Group<G, R>, left: ReadonlyArray<R>): void {
    if (group.members === undefined) this.groups = HashMap.remove(this.groups, group.name)
    this.tell("Left", group.name, left)
  }

  private listenersOf(name: G): OneOrMany.OneOrMany<Listener<G, R>> {
    return Option.getOrUndefined(HashMap.get(this.groupListeners, name))
  }

  private setListeners(name: G, listeners: OneOrMany.OneOrMany<Listener<G, R>>): void {
    this.groupListeners = listeners === undefined
      ? HashMap.remove(this.groupListeners, name)
      : HashMap.set(this.groupListeners, name, listeners)
  }

  private tell(_tag: GroupEvent<G, R>["_tag"], group: G, members: ReadonlyArray<R>): void {
    const event: GroupEvent<G, R> = { _tag, group, members }
    const offer = ({ queue }: Listener<G, R>) => void Queue.offerUnsafe(queue, event)
    this.listeners.forEach(offer)
    if (!HashMap.isEmpty(this.groupListeners)) OneOrMany.forEach(this.listenersOf(group), offer)
  }
}

const living = <R extends HasProcess>({ members }: Group<unknown, R>): ReadonlyArray<R> => {
  const refs: Array<R> = []
  OneOrMany.forEach(members, ({ ref }) => {
    if (isAlive(ref)) refs.push(ref)
  })
  return refs
}
