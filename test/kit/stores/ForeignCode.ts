/** Code of an app's own around its servers that does not do what it should, at calls that a plan says. */
import { Context, Effect, Metric, Schema, SchemaGetter, Tracer } from "effect"
import type { SnapshotRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import { StateStore } from "../../../src/index.ts"

/** Code that looks on, and has no say. */
export const onlookers = [
  "logger",
  "listener",
  "listener for reports",
  "metric registry",
  "tracer",
  "debug function",
  "formatStatus"
] as const

/** Code beside the store, the codec of states and the budget that has a say. */
export const besides = [
  "behavior",
  "handler",
  "continuation",
  "idle",
  "migrate",
  "replaceState",
  "encode a payload",
  "decode a payload",
  "encode a reply",
  "decode a reply",
  "row"
] as const

/** Where such code is called. */
export const places = [
  "acquireEpoch",
  "confirm",
  "take",
  "load",
  "save",
  "setAside",
  "listAside",
  "keys",
  "remove",
  "timers",
  "encode",
  "decode",
  "retry",
  "restart",
  "init",
  "restore",
  "terminate",
  ...onlookers,
  ...besides
] as const

type Place = typeof places[number]

/** Those that are called when something has happened. */
const busiest = ["save", "load", "retry", "restart", "encode", "decode", "restore"] as const

/** What it does instead. Only what answers with an Effect can be late, or answer never; plain code throws then. */
const Deed = Schema.Literals([
  "throws",
  "dies",
  "dies late",
  "does it and dies",
  "fails",
  "fails untyped",
  "is interrupted",
  "answers never",
  "answers no Effect",
  "answers nothing",
  "answers nonsense"
])

/** A few misdeeds: which call of what, and whether all that follow are as bad. With many, most apps would not start. */
export const Plan = Schema.Array(Schema.Struct({
  place: Schema.Literals([...places, ...busiest, ...busiest]),
  nth: Schema.Literals([0, 0, 1, 2, 3, 5, 8]),
  deed: Deed,
  forEver: Schema.Boolean,
  nonsense: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 11 }))
})).check(Schema.isMaxLength(4))

const refuse = (): never => {
  throw new Error("foreign code throws")
}

const nonsenses: ReadonlyArray<unknown> = [
  null,
  0,
  "x",
  Number.NaN,
  -1,
  [null],
  [{}],
  [{ key: 1, seq: "x", state: 7, version: -1, trusted: null, epoch: {} }],
  { [Symbol.iterator]: refuse, length: 1 },
  new Proxy([], { get: refuse, ownKeys: refuse, has: refuse }),
  new Map(),
  refuse
]

/** Of the nonsense, what throws however it is looked at. */
export const hostile = 9

/** Foreign code that follows a plan until it is healed. */
export class Foreign {
  private plan: typeof Plan.Type
  private readonly calls = new Map<Place, number>()
  /** What it has done. */
  readonly done: Array<string> = []

  constructor(plan: typeof Plan.Type) {
    this.plan = plan
  }

  /** From now on it does what it should. */
  heal(): void {
    this.plan = []
  }

  private next(place: Place) {
    const n = this.calls.get(place) ?? 0
    this.calls.set(place, n + 1)
    const found = this.plan.find((one) => one.place === place && (one.nth === n || (one.forEver && one.nth < n)))
    if (found !== undefined) this.done.push(`${found.deed} at ${place} ${n}`)
    return found
  }

  /** A call that answers with an Effect. */
  effect<A, E>(place: Place, real: () => Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { deed, nonsense = 0 } = this.next(place) ?? {}
    switch (deed) {
      case undefined:
        return real()
      case "throws":
        return refuse()
      case "dies":
        return Effect.die(new Error("foreign code dies"))
      case "dies late":
        return Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.sleep("20 millis"), Effect.die("late")))
      case "does it and dies":
        return Effect.andThen(real(), Effect.die(new Error("foreign code dies of its success")))
      case "fails":
        return Effect.fail(
          new StateStore.StoreError({
            store: "foreign",
            operation: place,
            reason: { _tag: "Unavailable", cause: "away" }
          }) as E
        )
      case "fails untyped":
        return Effect.fail(nonsenses[nonsense] as E)
      case "is interrupted":
        return Effect.interrupt
      case "answers never":
        return Effect.never
      case "answers no Effect":
        return nonsenses[nonsense] as Effect.Effect<A, E>
      case "answers nothing":
        return undefined as unknown as Effect.Effect<A, E>
      case "answers nonsense":
        return Effect.succeed(nonsenses[nonsense] as A)
    }
  }

  /** A call of plain code. */
  plain<A>(place: Place, real: () => A): A {
    const { deed, nonsense = 0 } = this.next(place) ?? {}
    if (deed === undefined) return real()
    return deed.startsWith("answers") ? nonsenses[nonsense] as A : refuse()
  }
}

/** A metric registry whose every access may be wrong. */
class Registry extends Map<string, Metric.Metric.Metadata<any, any>> {
  private readonly foreign: Foreign
  constructor(foreign: Foreign) {
    super()
    this.foreign = foreign
  }
  override get(key: string) {
    return this.foreign.plain("metric registry", () => super.get(key))
  }
  override set(key: string, value: Metric.Metric.Metadata<any, any>) {
    return this.foreign.plain("metric registry", () => super.set(key, value))
  }
}

/** Counts and traces by foreign code. */
export const watchedBy = (foreign: Foreign): Context.Context<never> =>
  Context.make(Metric.MetricRegistry, new Registry(foreign)).pipe(
    Context.add(
      Tracer.Tracer,
      Tracer.make({ span: (options) => foreign.plain("tracer", () => Tracer.nativeTracer.span(options)) })
    )
  )

/** A schema that is written and read by foreign code. */
export const codecOf = (foreign: Foreign, encode: Place, decode: Place) =>
  Schema.Int.pipe(
    Schema.decodeTo(Schema.Int, {
      decode: SchemaGetter.transform((n) => foreign.plain(decode, () => n)),
      encode: SchemaGetter.transform((n) => foreign.plain(encode, () => n))
    })
  )

/** A store whose every method may be wrong. */
export const storeOf = (foreign: Foreign): StateStore.StateStore<"crash"> => {
  const memory = StateStore.makeMemory()
  const { confirm, timers } = memory
  return {
    name: "foreign",
    grade: "crash",
    hold: {
      ownership: "exclusive",
      patience: 0,
      get take() {
        return foreign.effect("take", () => Effect.undefined)
      }
    },
    acquireEpoch: (owner) => foreign.effect("acquireEpoch", () => memory.acquireEpoch(owner)),
    confirm: (epoch, key) => foreign.effect("confirm", () => confirm!(epoch, key)),
    load: (key) => foreign.effect<ReadonlyArray<SnapshotRecord>, StateStore.StoreError>("load", () => memory.load(key)),
    save: (records) => foreign.effect("save", () => memory.save(records)),
    setAside: (one) => foreign.effect("setAside", () => memory.setAside(one)),
    listAside: (key) => foreign.effect("listAside", () => memory.listAside(key)),
    keys: (prefix) => foreign.effect("keys", () => memory.keys(prefix)),
    remove: (keys, epoch) => foreign.effect("remove", () => memory.remove(keys, epoch)),
    timers: (...page) => foreign.effect("timers", () => timers!(...page))
  }
}
