/**
 * Process groups: members under a common name, and monitors of their changes.
 *
 * A scope of groups is a service of its own ({@link Service}); a group exists while it has members. Mirrors OTP's `pg`
 * on one node. A process is a member as often as it joined, and has to leave as often; for values beside the members,
 * or keys that one process alone may hold, use `Registry`.
 *
 * A member is a *process*, which outlives its incarnations: it stays a member while it is restarted or parked, and
 * leaves all its groups when it is down for good. One that is started again after that (`restartChild`, or with its
 * supervisor) is a member again. In OTP a restarted process is a new member and has to join again; here it may, in
 * `init`: that adds none.
 *
 * *Tricky*: (1) a member may end between any two steps. Its memberships end in the same step, by an observer on the
 * process that is there while it is a member anywhere, and members are checked once more when they are handed out. (2)
 * A monitor gets the members and everything that changes after, nothing in between and nothing twice: both are taken in
 * one step. (3) The groups themselves may be shut down under their users: monitors end, joining and leaving fail, and
 * no observer stays on any member. (4) A scope must not keep monitors that are over: each has a scope of its own in it,
 * closed with it.
 *
 * @since 0.1.0
 */
import { type Cause, Context, Effect, Exit, Layer, Option, Queue, Scope, Stream } from "effect"
import * as Membership from "../../domain/naming/Membership.ts"
import { from, type HasProcess, hasProcess } from "../process/Process.ts"
import { GroupsError, type GroupsErrorReason } from "./GroupsError.ts"
import { type GroupEvent, MemberTable } from "./MemberTable.ts"

export { GroupsError } from "./GroupsError.ts"
export type { GroupEvent } from "./MemberTable.ts"

/**
 * A monitor: how it was when it was set, and what changes from then on.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupMonitor<out G, out R, out M> {
  readonly members: M
  /** Every change since; ends when the groups are shut down or the monitor is. */
  readonly events: Queue.Dequeue<GroupEvent<G, R>, Cause.Done>
  /** Ends the monitor; what it has not reported yet is dropped. */
  readonly demonitor: Effect.Effect<void>
}

/**
 * The types of a scope of groups: its names and its members.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupsTypes {
  readonly group?: unknown
  readonly ref?: HasProcess
}

type GroupOf<T> = T extends { readonly group: infer G } ? G : string
type RefOf<T> = T extends { readonly ref: infer R extends HasProcess } ? R : HasProcess

/**
 * A scope of process groups.
 *
 * @category models
 * @since 0.1.0
 */
export interface Groups<G, R extends HasProcess> {
  readonly id: string
  /**
   * One more membership for each process named; several at once join in one step, or none. What a server joins of
   * itself, in `init` or a handler, takes the place of a membership that an incarnation before it had joined so: a
   * crash adds none, and the count is OTP's. OTP's `pg:join`.
   */
  readonly join: (group: G, members: R | ReadonlyArray<R>) => Effect.Effect<void, GroupsError>
  /** One membership less for each time a process is named; fails when none was a member. OTP's `pg:leave`. */
  readonly leave: (group: G, members: R | ReadonlyArray<R>) => Effect.Effect<void, GroupsError>
  /** The members, in the order of joining, each as often as it joined. OTP's `pg:get_members`. */
  readonly members: (group: G) => Effect.Effect<ReadonlyArray<R>>
  /** The groups that have members. OTP's `pg:which_groups`. */
  readonly groups: Effect.Effect<ReadonlyArray<G>>
  /** Reports what changes in one group until the scope closes. Two monitors report twice. OTP's `pg:monitor`. */
  readonly monitor: (group: G) => Effect.Effect<GroupMonitor<G, R, ReadonlyArray<R>>, never, Scope.Scope>
  /** Tells what changes in all groups until the scope closes. OTP's `pg:monitor_scope`. */
  readonly monitorAll: Effect.Effect<
    GroupMonitor<G, R, ReadonlyArray<readonly [group: G, members: ReadonlyArray<R>]>>,
    never,
    Scope.Scope
  >
  /** The members now, and again after every change. */
  readonly listing: (group: G) => Stream.Stream<ReadonlyArray<R>>
}

/**
 * The key of a scope of groups in the context, and its layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupsClass<Self, Id extends string, G, R extends HasProcess>
  extends Context.ServiceClass<Self, Id, Groups<G, R>>
{
  /** The groups, all empty; they close with the scope of the layer. */
  readonly layer: Layer.Layer<Self>
}

/**
 * Defines a scope of process groups.
 *
 * **Details**
 *
 * The second type argument says what they hold: `group`, the names (default `string`; compared by value), and `ref`,
 * the members (default: any process).
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Groups, StateContainer, Supervisor } from "heirloom"
 *
 * class Session extends GenServer.Service<Session>()("app/Session", {
 *   state: Schema.Array(Schema.String),
 *   messages: {
 *     Notify: GenServer.cast({ payload: { text: Schema.String } }),
 *     Seen: GenServer.call({ reply: Schema.Array(Schema.String) })
 *   }
 * }) {}
 *
 * class Watchers extends Groups.Service<Watchers, { readonly ref: Session["Service"] }>()("app/Watchers") {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   Watchers.layer,
 *   StateContainer.layerMemory(Session),
 *   Session.layer({ init: [], handlers: { Notify: (seen, { text }) => [...seen, text], Seen: (seen) => [seen, seen] } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const watchers = yield* Watchers
 *   const session = yield* Session
 *   yield* watchers.join("news", session)
 *   for (const member of yield* watchers.members("news")) yield* member.Notify({ text: "hello" })
 *   console.log(yield* session.Seen()) // => [ 'hello' ]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self, T extends GroupsTypes = {}>() =>
  <const Id extends string>(id: Id): GroupsClass<Self, Id, GroupOf<T>, RefOf<T>> => {
    const key = Context.Service<Self, Groups<GroupOf<T>, RefOf<T>>>()(id)
    return Object.assign(key, {
      layer: Layer.effect(
        key,
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => new MemberTable<GroupOf<T>, RefOf<T>>()),
            (members) => Effect.sync(() => members.close())
          ),
          (members) => fromTable(id, members)
        )
      )
    })
  }

const toArray = <R extends HasProcess>(groups: string, members: R | ReadonlyArray<R>): ReadonlyArray<R> => {
  if (hasProcess(members)) return [members]
  const all = Array.isArray(members) ? members : [members]
  for (const one of all) from(one, groups)
  return members
}

const fromTable = <G, R extends HasProcess>(id: string, members: MemberTable<G, R>): Groups<G, R> => {
  const answer = (reason: GroupsErrorReason | undefined) =>
    reason === undefined ? Effect.void : Effect.fail(new GroupsError({ groups: id, reason }))
  const monitor = <M>(
    group: Option.Option<G>,
    now: () => M
  ): Effect.Effect<GroupMonitor<G, R, M>, never, Scope.Scope> =>
    Effect.uninterruptible(Effect.flatMap(
      Effect.all([
        Queue.unbounded<GroupEvent<G, R>, Cause.Done>(),
        Effect.flatMap(Effect.scope, Scope.fork)
      ]),
      ([queue, own]) => {
        const listener = { group, queue }
        members.listen(listener)
        const unlisten = Effect.sync(() => members.unlisten(listener))
        const set = { members: now(), events: queue, demonitor: Scope.close(own, Exit.void) }
        return Effect.as(Scope.addFinalizer(own, Effect.andThen(unlisten, Queue.shutdown(queue))), set)
      }
    ))
  return {
    id,
    join: (group, joining) => Effect.suspend(() => answer(members.join(group, toArray(id, joining)))),
    leave: (group, leaving) => Effect.suspend(() => answer(members.leave(group, toArray(id, leaving)))),
    members: (group) => Effect.sync(() => members.of(group)),
    groups: Effect.sync(() => members.all().map(([group]) => group)),
    monitor: (group) => monitor(Option.some(group), () => members.of(group)),
    monitorAll: monitor(Option.none(), () => members.all()),
    listing: (group) =>
      Stream.unwrap(Effect.map(
        monitor(Option.some(group), () => members.of(group)),
        ({ events, members: now }) =>
          Stream.scan(Stream.fromQueue(events), () => now, (listed, event) =>
            event._tag === "Joined"
              ? Membership.join(listed, event.members)
              : Membership.leave(listed, event.members).members)
      ))
  }
}
