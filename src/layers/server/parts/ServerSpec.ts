/**
 * The part that all servers of one class under one supervisor share: one more server costs only what is its own.
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Exit, type Fiber, Predicate, Scheduler, Schema, type Tracer } from "effect"
import { idText, pathText, separator } from "../../../domain/observation/Path.ts"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { By } from "../../../domain/server/Idleness.ts"
import type { HandlerContext } from "../../../domain/server/Message.ts"
import type { Formatted, Shown } from "../../../domain/server/SystemEvent.ts"
import { freeze } from "../../../domain/state/Isolation.ts"
import { redactionOf } from "../../../domain/state/shown/Redaction.ts"
import type { Pure } from "../../../domain/state/StateSchema.ts"
import type { FaultPoints as Points } from "../../../domain/testing/Fault.ts"
import { type ClassMeter, CurrentMeter, type Gauges, type Meter } from "../../observation/Meter.ts"
import { isLogging } from "../../observation/Sink.ts"
import type { Parent } from "../../process/Child.ts"
import { attempt, notAwaited } from "../../process/Execute.ts"
import { type HasProcess, type Process, type processOf } from "../../process/Process.ts"
import { type RunQueue, runQueue } from "../../process/Turn.ts"
import type { CompanionTable } from "../../state/companion/CompanionTable.ts"
import { tableOf } from "../../state/container/Container.ts"
import type { StateContainer, StateOf } from "../../state/StateContainer.ts"
import type { StartError } from "../../supervision/tree/SupervisorErrors.ts"
import { Deadlines } from "../message/Deadlines.ts"
import type { Receiver } from "../message/Envelope.ts"
import type { Overflow } from "../message/Mailbox.ts"
import type { MessageType, QueuedCast } from "../message/MessageType.ts"
import { FaultPoints, LifePoints } from "./FaultPoints.ts"
import { withLifeFaults } from "./LifeFaults.ts"
import { type Limits, limitsOf, type RunOptions } from "./Limits.ts"
import { metered } from "./Metered.ts"

/** A handler as the engine calls it. */
export type AnyHandler = (
  state: unknown,
  payload: unknown,
  context: HandlerContext<never, never> | undefined
) => unknown

/**
 * A behaviour as the engine runs it: what the public types promised is erased here, once, at the seam.
 *
 * Every callback may answer with a value or an Effect; the engine tells them apart.
 */
export interface AnyBehavior {
  readonly init: unknown
  readonly restore?: ((conserved: unknown) => unknown) | undefined
  readonly handlers: { readonly [tag: string]: AnyHandler }
  readonly terminate?: ((reason: ExitReason, state: unknown) => unknown) | undefined
  readonly idle?: ((state: unknown) => unknown) | undefined
  readonly formatStatus?: ((shown: Shown<unknown>) => Formatted) | undefined
}

/** A server as its clients see it. */
export interface Served extends Process, Receiver {
  call(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown>
  callOnce(type: MessageType, payload: unknown, millis: number, key: string): Effect.Effect<unknown, unknown>
  cast(message: QueuedCast, span: Tracer.AnySpan | undefined): Effect.Effect<void>
}

/** A client of a server. */
export interface ServerClient extends HasProcess {
  readonly [processOf]: Served
}

/** The class of a server class's clients. */
export type ClientClass = new(server: Served) => ServerClient

/** A server has no key; it was given one; a keyed layer gave it one, so that `at(key)` finds a server in its place. */
export type Keying = "none" | "given" | KeyedLayer

/** A layer that starts servers by their keys. */
export interface KeyedLayer {
  /** `asker` waits for it, where that is not the fiber that runs this. */
  readonly at: (key: string, asker?: Fiber.Fiber<unknown, unknown>) => Effect.Effect<ServerClient, StartError>
  /** Whether nothing was said of their restarts: one that ends in order has not ended for good, and keeps its state. */
  readonly isUsual: boolean
}

/** The part that all servers of one class under one supervisor share. */
export interface ServerSpec extends Omit<Limits, "passivation"> {
  /** The class's id. */
  readonly id: string
  /** What its supervisor calls it, if not by the class's id and its key. */
  readonly renamed: string | undefined
  readonly keying: Keying
  /** Whether the server of its key is started again when it is asked for. */
  readonly comesBack: boolean
  /** When one that is left alone gives way, and how. */
  readonly passivation: { readonly after: number; readonly by: By } | undefined
  readonly parent: Parent
  /** What the name of each of them begins with: the supervisor's path. */
  readonly address: string
  /** The name of a server without a key, or with an id from its supervisor. A crash needs it. */
  readonly name: string
  /** The services of init, handlers and clean-up. */
  readonly context: Context.Context<never>
  readonly companions: CompanionTable<unknown>
  /** The behaviour, when all incarnations share it. */
  readonly shared: AnyBehavior | undefined
  /** Or how an incarnation makes its own, in its Scope, from the key of its server. */
  readonly make: ((key: string) => Effect.Effect<AnyBehavior, unknown>) | undefined
  readonly Client: ClientClass
  /** Checks the replies of a behaviour; absent unless a message is validated. */
  readonly checked: ((behavior: AnyBehavior) => AnyBehavior) | undefined
  /** By tag: those that clients have, and the internal ones. */
  readonly types: ReadonlyMap<string, MessageType>
  readonly overflow: Overflow
  /** Protects what is conserved from handlers that mutate it; absent when states are shared. */
  readonly protect: ((state: unknown) => unknown) | undefined
  /** Whether two states are one, written down; absent unless states are copied. */
  readonly isSame: ((a: unknown, b: unknown) => boolean) | undefined
  /** Gives a handler a state of its own; absent unless states are copied. */
  readonly copy: ((state: unknown) => unknown) | undefined
  /** Hides what the state's schema marks as secret; absent when it marks nothing. */
  readonly redact: ((state: unknown) => unknown) | undefined
  readonly faults: Points | undefined
  /** Whether a logger takes crash reports. */
  readonly isLogging: boolean
  /** Counts what its servers do; absent, and nothing is counted. */
  readonly meter: ClassMeter | undefined
  readonly clock: Clock.Clock
  readonly turns: RunQueue
  readonly deadlines: Deadlines
}

const isolations = ["share", "freeze", "copy"] as const

const overflows = ["suspend", "fail", "drop_oldest"] as const

/** A state as it may be kept; what `protect` throws is a defect of the state. */
export const protectedBy = (protect: (state: unknown) => unknown, state: unknown): Exit.Exit<unknown> =>
  attempt(() => protect(state))

/** The description of a class. */
interface ClassDescription<Self> {
  readonly id: string
  readonly state: Pure
  readonly Client: ClientClass
  readonly types: ReadonlyMap<string, MessageType>
  readonly container: Context.Service<StateOf<Self>, StateContainer<any>>
  readonly checked: ServerSpec["checked"]
  /** What there is of the class now. */
  readonly gauges: (companions: CompanionTable<unknown>) => Gauges
}

const nothingThere: Gauges = { live: 0, hibernating: 0, queued: 0, quarantined: 0 }

/** A behaviour, or how each incarnation makes one. */
export type BehaviorOrEffect = AnyBehavior | Effect.Effect<AnyBehavior, unknown>

/** The same, or one for each key. */
export type AnyBehaviorInput = BehaviorOrEffect | ((key: string) => BehaviorOrEffect)

/**
 * Makes the specs of a class, and remembers the last one of each behaviour: a thousand servers started alike, one after
 * the other, share one.
 */
export const makeSpec = <Self>(description: ClassDescription<Self>) => {
  const last = new WeakMap<object, { readonly spec: ServerSpec; readonly options: RunOptions }>()
  return (
    parent: Parent,
    context: Context.Context<never>,
    behavior: AnyBehaviorInput,
    options: RunOptions,
    keying: Keying,
    renamed?: string
  ): ServerSpec => {
    const known = last.get(behavior)
    if (
      known !== undefined && known.spec.parent === parent && known.spec.renamed === renamed &&
      known.spec.context === context &&
      known.options.mailbox === options.mailbox && known.options.quarantine === options.quarantine &&
      known.options.isolation === options.isolation &&
      known.options.initTimeout === options.initTimeout &&
      known.options.passivate === options.passivate && known.options.restart === options.restart &&
      known.options.shutdown === options.shutdown &&
      known.spec.keying === keying
    ) return known.spec
    const spec = specOf(description, parent, context, behavior, options, keying, renamed)
    spec.companions.serve()
    last.set(behavior, { spec, options })
    return spec
  }
}

const specOf = <Self>(
  description: ClassDescription<Self>,
  parent: Parent,
  context: Context.Context<never>,
  behavior: AnyBehaviorInput,
  options: RunOptions,
  keying: Keying,
  renamed: string | undefined
): ServerSpec => {
  const isolation = GivenOption.oneOf(
    { of: description.id, option: "isolation", given: options.isolation ?? "share" },
    isolations
  )
  const address = pathText(parent.path) + separator
  const points = Context.get(context, LifePoints)
  const clock = Context.get(context, Clock.Clock)
  // The layer that registered the recipe asked for the container, so it is there.
  const companions = tableOf(Context.getUnsafe(context, description.container))
  const { checked, meter } = countedBy(description, Context.get(context, CurrentMeter), clock, companions)
  const run = (given: AnyBehavior): AnyBehavior => {
    // A function of the key may have answered with anything.
    if (!Predicate.isObjectOrArray(given)) givenBehavior(description.id, given)
    const one = points === undefined ? given : withLifeFaults(points, given)
    return checked === undefined ? one : checked(one)
  }
  const copy = isolation === "copy" ? copier(description.state) : undefined
  const limits = limitsOf(description.id, options)
  const comesBack = typeof keying === "object" && options.restart !== "permanent"
  const usual = companions.letsGo || !comesBack ? "hibernate" : "stop"
  return {
    ...limits,
    passivation: limits.passivation && { after: limits.passivation.after, by: limits.passivation.by ?? usual },
    comesBack,
    id: description.id,
    renamed,
    keying,
    parent,
    address,
    name: address + idText(renamed ?? description.id),
    context,
    companions,
    ...behaviorOf(behavior, run),
    Client: description.Client,
    checked,
    types: description.types,
    overflow: GivenOption.oneOf(
      { of: description.id, option: "mailbox.overflow", given: options.mailbox?.overflow ?? "suspend" },
      overflows
    ),
    protect: isolation === "freeze" ? freeze : copy?.copy,
    copy: copy?.copy,
    isSame: copy?.isSame,
    // Not with the class: a schema may be part of itself by way of names that are not there yet.
    redact: redactionOf(description.state),
    faults: Context.get(context, FaultPoints),
    isLogging: isLogging(context),
    meter,
    clock,
    turns: runQueue(Context.get(context, Scheduler.Scheduler)),
    deadlines: new Deadlines(context)
  }
}

/** What counts the servers, if anything does; the behaviours are counted as they are checked. */
const countedBy = <Self>(
  { checked, gauges, id, types }: ClassDescription<Self>,
  counting: Meter | undefined,
  clock: Clock.Clock,
  companions: CompanionTable<unknown>
): Pick<ServerSpec, "checked" | "meter"> => {
  if (counting === undefined) return { checked, meter: undefined }
  const meter = counting.of(id)
  // It holds nothing that would keep the companions of a tree that has gone.
  const counted = new WeakRef(companions)
  meter.counts(companions, () => {
    const there = counted.deref()
    return there === undefined ? nothingThere : gauges(there)
  })
  const isCall = (tag: string) => types.get(tag)?.isCall !== false
  return {
    meter,
    checked: (given) => metered(meter, clock, counting.hasSpans, isCall, checked === undefined ? given : checked(given))
  }
}

/** A behaviour that a class was given, or a function of the key; refuses what is neither. */
export const givenBehavior = (of: string, behavior: AnyBehaviorInput): AnyBehaviorInput =>
  Predicate.isObjectOrArray(behavior) || typeof behavior === "function"
    ? behavior
    : GivenOption.refuse({ of, option: "behavior", given: behavior }, "an object, or an Effect that makes one")

const behaviorOf = (
  behavior: AnyBehaviorInput,
  run: (one: AnyBehavior) => AnyBehavior
): Pick<ServerSpec, "shared" | "make"> => {
  const made = (one: BehaviorOrEffect): Effect.Effect<AnyBehavior, unknown> => {
    if (Effect.isEffect(one)) return Effect.map(one, run)
    notAwaited(one)
    return Exit.succeed(run(one))
  }
  if (typeof behavior === "function") return { shared: undefined, make: (key) => made(behavior(key)) }
  if (!Effect.isEffect(behavior)) return { shared: run(behavior), make: undefined }
  const every = made(behavior)
  return { shared: undefined, make: () => every }
}

const copier = (state: Pure) => {
  const codec = Schema.toCodecJson(state)
  const encode = Schema.encodeUnknownSync(codec)
  const decode = Schema.decodeUnknownSync(codec)
  const text = (value: unknown) => JSON.stringify(encode(value))
  return {
    copy: (value: unknown): unknown => decode(encode(value)),
    isSame: (a: unknown, b: unknown): boolean => text(a) === text(b)
  }
}
