/** Values that do harm when they are looked at: those of a list, and any number more made of a tape of numbers. */
import { Equal, Hash, Schema } from "effect"
import { runInNewContext } from "node:vm"

const refuse = (): never => {
  throw new Error("do not look at me")
}

const gone = <A extends object>(target: A): A => {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** Throws in every way a proxy can. */
const barbed = <A extends object>(target: A): A =>
  new Proxy(
    target,
    Object.fromEntries(
      ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "apply"].map((trap) => [trap, refuse])
    )
  )

const getter = (name: string, get: () => unknown = refuse): Error =>
  Object.defineProperty(new Error("boom"), name, { get, enumerable: false })

const chain = (length: number, text = ""): Error => {
  let error = new Error(`0${text}`)
  for (let i = 1; i < length; i++) error = new Error(`${i}${text}`, { cause: error })
  return error
}

const nested = (depth: number): unknown => {
  let value: unknown = "end"
  for (let i = 0; i < depth; i++) value = { value }
  return value
}

/** An error whose cause is another such error, for ever. */
const bottomless = (): Error => getter("cause", bottomless)

const endless = (): unknown => ({ toJSON: endless, toString: endless, [Symbol.toPrimitive]: endless })

class Prickly {
  get own(): never {
    return refuse()
  }
  toString(): never {
    return refuse()
  }
  get [Symbol.toStringTag](): never {
    return refuse()
  }
  [Symbol.for("nodejs.util.inspect.custom")](): never {
    return refuse()
  }
}

class Untold extends Schema.TaggedError<Untold>()("Untold", { value: Schema.Unknown }) {
  override get message(): string {
    return `${this.value}`
  }
}

const circular = (): Error => {
  const error = new Error("boom")
  return Object.assign(error, { cause: error })
}

/** Makes a large value once. */
const once = (make: () => unknown): () => unknown => {
  let made: { readonly value: unknown } | undefined
  return () => (made ??= { value: make() }).value
}

/** Each as a name and what makes it. */
export const hostiles: ReadonlyArray<readonly [string, () => unknown]> = [
  ["an object without a prototype", () => Object.create(null)],
  ["an error whose message throws", () => getter("message")],
  ["an error whose name is a symbol", () => Object.assign(new Error("boom"), { name: Symbol("name") })],
  ["an error whose name throws", () => getter("name")],
  ["an error whose stack throws", () => getter("stack")],
  ["an error whose cause throws", () => getter("cause")],
  ["an error whose toJSON throws", () => Object.assign(new Error("boom"), { toJSON: refuse, toString: refuse })],
  [
    "an error with a field that throws",
    () => Object.defineProperty(new Error("boom"), "x", { get: refuse, enumerable: true })
  ],
  ["an error whose message is no text", () => Object.assign(new Error("boom"), { message: { toString: refuse } })],
  ["an error that says what cannot be said", () => new Untold({ value: Object.create(null) })],
  [
    "an error with a field that holds what does harm",
    () => Object.assign(new Error("boom"), { errors: getter("cause") })
  ],
  [
    "an error with a field that holds a getter",
    () =>
      Object.assign(new Error("boom"), { detail: Object.defineProperty({}, "own", { get: refuse, enumerable: true }) })
  ],
  ["an error that caused itself", circular],
  ["an error with causes without end", bottomless],
  ["10,000 errors, each the cause of the next", once(() => chain(10_000))],
  ["1,000 errors with long messages, each the cause of the next", once(() => chain(1000, "x".repeat(10_000)))],
  [
    "10,000 errors in one",
    once(() => new AggregateError(Array.from({ length: 10_000 }, (_, i) => new Error(`${i}`)), "all"))
  ],
  ["an error whose errors throw", () => Object.assign(new AggregateError([], "all"), { errors: barbed([]) })],
  ["a revoked proxy", () => gone({})],
  ["a revoked proxy of an array", () => gone([])],
  ["a revoked proxy of an error", () => gone(new Error("boom"))],
  ["a proxy that throws whatever is asked", () => barbed({})],
  ["an error behind a proxy that throws", () => new Proxy(new Error("boom"), { get: refuse, ownKeys: refuse })],
  ["an object whose conversions throw", () => ({ toString: refuse, toJSON: refuse, [Symbol.toPrimitive]: refuse })],
  ["an object whose conversions come to no text", endless],
  ["an instance that throws at every turn", () => new Prickly()],
  ["an iterable without end", () => ({
    *[Symbol.iterator]() {
      for (;;) yield 1
    }
  })],
  ["a text of ten million characters", once(() => "x".repeat(10_000_000))],
  ["an error with a message of ten million characters", once(() => new Error("x".repeat(10_000_000)))],
  ["an array of a million", once(() => Array.from({ length: 1_000_000 }, (_, i) => i))],
  ["an array of four thousand million holes", () => Object.assign([], { length: 4_294_967_295 })],
  ["a Map of a hundred thousand", once(() => new Map(Array.from({ length: 100_000 }, (_, i) => [i, { i }])))],
  ["ten million bytes", once(() => new Uint8Array(10_000_000))],
  ["an object for a text of a million characters", once(() => Object("x".repeat(1_000_000)))],
  ["an object 10,000 levels deep", once(() => nested(10_000))],
  ["a number of a million digits", once(() => 10n ** 1_000_000n)],
  [
    "an object that hides a cause whose name throws",
    () => Object.defineProperty({}, "cause", { value: Object.defineProperty({}, "name", { get: refuse }) })
  ],
  [
    "an object that inherits a message of ten million characters",
    once(() => Object.create({ message: "x".repeat(10_000_000) }))
  ],
  [
    "an error of another realm whose message throws",
    () => runInNewContext("Object.defineProperty(new Error('boom'), 'message', { get() { throw 1 } })")
  ],
  ["a frozen error whose stack throws", () => Object.freeze(getter("stack"))],
  [
    "an error in an array, whose stack is seen, and does harm",
    () => [Object.defineProperty(new Error("boom"), "stack", { value: barbed({}), enumerable: true })]
  ],
  ["an error whose stack is no text", () => Object.assign(new Error("boom"), { stack: 7 })],
  [
    "an error with a stack of ten million characters",
    once(() => Object.assign(new Error("boom"), { stack: `boom\n    at ${"x".repeat(10_000_000)}` }))
  ],
  ["an object with a tag of ten million characters", once(() => ({ [Symbol.toStringTag]: "x".repeat(10_000_000) }))],
  ["an object whose tag throws", () => Object.defineProperty({}, Symbol.toStringTag, { get: refuse })],
  ["an object with a _tag that throws", () => Object.defineProperty({}, "_tag", { get: refuse, enumerable: true })],
  [
    "a function with a name of a million characters",
    once(() => Object.defineProperty(() => 1, "name", { value: "x".repeat(1_000_000) }))
  ],
  ["a proxy of a promise", () => new Proxy(Promise.resolve(), {})],
  [
    "a promise whose methods throw",
    () => Object.assign(Promise.resolve(), { catch: refuse, finally: refuse })
  ],
  ["an object whose hash and equality throw", () => ({ [Hash.symbol]: refuse, [Equal.symbol]: refuse })],
  [
    "a Map of a class whose methods throw",
    () => Object.assign(new Map(), { entries: refuse, [Symbol.iterator]: refuse })
  ],
  ["an array whose iterator throws", () => Object.assign([1], { [Symbol.iterator]: refuse })],
  ["a text of control characters", () => "a\u0000\u001b[31m\r\n\u2028\ud800 > /b"],
  ["an object 5,000 prototypes deep", () => {
    let value = {}
    for (let i = 0; i < 5000; i++) value = Object.create(value)
    return value
  }],
  ["null", () => null],
  ["a symbol", () => Symbol("boom")],
  ["a function", () => refuse],
  ["nothing", () => undefined]
]

/** Those of each way to do harm, for tests that are dear. */
export const harmful = hostiles.filter(([name]) =>
  [
    "an object without a prototype",
    "an error whose message throws",
    "an error whose name is a symbol",
    "an error whose cause throws",
    "an error whose toJSON throws",
    "an error that says what cannot be said",
    "10,000 errors, each the cause of the next",
    "1,000 errors with long messages, each the cause of the next",
    "a revoked proxy",
    "a revoked proxy of an array",
    "a proxy that throws whatever is asked",
    "an object whose conversions throw",
    "an instance that throws at every turn",
    "an iterable without end",
    "an object with a tag of ten million characters",
    "a proxy of a promise",
    "a promise whose methods throw",
    "an object whose hash and equality throw",
    "null",
    "nothing"
  ].includes(name)
)

const traps = ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"] as const
const fields = [
  "name",
  "message",
  "stack",
  "cause",
  "errors",
  "toString",
  "toJSON",
  "constructor",
  "_tag",
  "length",
  "x"
]

/** What a tape is drawn from. */
export const Tape = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9999 })))

/** The value that a tape stands for; the same one for the same tape. */
export const valueOf = (tape: ReadonlyArray<number>): unknown => {
  let at = 0
  const draw = (below: number): number => (tape[at++] ?? 0) % below
  const make = (depth: number): unknown => {
    if (at >= tape.length || depth > 6) return "end"
    switch (draw(12)) {
      case 0:
        return "x".repeat(draw(10_000))
      case 1:
        return [undefined, null, Number.NaN, -1n, Symbol("s"), refuse, true][draw(7)]
      case 2:
        return Array.from({ length: draw(5) }, () => make(depth + 1))
      case 3:
        return new Map([[make(depth + 1), make(depth + 1)]])
      case 4:
        return new Set([make(depth + 1)])
      case 5:
        return bend(new Error(`e${draw(100)}`), depth)
      case 6:
        return bend(new AggregateError([make(depth + 1)], "all"), depth)
      case 7:
        return bend(Object.create(draw(2) === 0 ? null : {}), depth)
      case 8:
        return bend(new Prickly(), depth)
      case 9:
        return new Proxy(bend(draw(2) === 0 ? {} : new Error("e"), depth), { [traps[draw(traps.length)]!]: refuse })
      case 10:
        return chain(draw(50), "x".repeat(draw(1000)))
      default:
        return hostiles[draw(hostiles.length)]![1]()
    }
  }
  /** Gives a field or two another value, a getter, or a getter that throws. */
  const bend = <A extends object>(value: A, depth: number): A => {
    for (let i = draw(3); i > 0; i--) {
      const field = fields[draw(fields.length)]!
      const kind = draw(3)
      const held = make(depth + 1)
      const enumerable = draw(2) === 0
      Object.defineProperty(
        value,
        field,
        kind === 0
          ? { value: held, enumerable, configurable: true }
          : { get: kind === 1 ? refuse : () => held, enumerable, configurable: true }
      )
    }
    return value
  }
  return make(0)
}
