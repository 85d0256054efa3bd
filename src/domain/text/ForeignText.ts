/**
 * Text of foreign values: an error that a handler died of, a state, a payload, a key.
 *
 * The engines make messages, reports and events of values that they know nothing about. A look at one runs foreign
 * code: a getter, a proxy, a `toString`, a `toJSON`. Every function here is total and bounded all the same: the answer
 * is within its limit, whatever the value throws, however deep, wide, long or circular it is. What cannot be read is
 * shown as {@link unreadable}. Use these for any value that a user made; a string of our own needs none of them.
 *
 * Effect's `Formatter` and `Cause.pretty` are for values that behave: they follow a circle of getters, an iterator
 * without end or a chain of 10,000 causes to the end of the stack, and write down all that they find.
 *
 * *Tricky*
 * - Only this is asked of a value: the fields of an `Error` (their getters included, since Schema's errors have their
 *   message in one), own data properties, the built-in methods of built-in collections, and `toJSON` of what effect's
 *   data types and our own references are. `toString`, `Symbol.toPrimitive`, other getters and other `toJSON` are never
 *   run: nothing can bound the time that they take.
 * - `isWhole` says that nothing was cut, thrown or left out. Only such a value can be handed on to code that looks
 *   deeper.
 *
 * @since 0.1.0
 */
import { HashMap, HashSet, Predicate } from "effect"
import { hashKey, redactableKey } from "./EffectKeys.ts"

/** A value as JSON has it. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Shown in place of what throws when it is looked at. */
export const unreadable = "[unreadable: it throws when it is looked at]"

/** The length of a text, in characters, unless a caller says otherwise. */
export const textLength = 2000

const maxDepth = 8
const maxItems = 100
const maxNodes = 1000

/** The fields of an error, as far as they can be read. */
export interface ErrorFields {
  readonly name: string
  readonly message: string
  /** The stack without its first lines, which repeat name and message. */
  readonly frames?: string | undefined
  /** Those that an `AggregateError` gathers. */
  readonly gathered?: ReadonlyArray<Json> | undefined
  readonly cause?: ErrorFields | undefined
}

/** What every error has, or may have, and is looked at by itself. */
const ownFields: ReadonlySet<string> = new Set(["name", "message", "stack", "cause"])

/** One look at a value, with what is left of its bounds. */
export class Look {
  isWhole = true
  private nodes = maxNodes
  private characters: number
  private readonly stacks: boolean
  private readonly ancestors: Array<object> = []

  constructor(characters: number, stacks = false) {
    this.characters = characters
    this.stacks = stacks
  }

  /** The value as JSON. */
  json(value: unknown): Json {
    if (this.nodes-- <= 0) return this.odd("…")
    if (value === null || typeof value === "boolean") return value
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
    if (typeof value === "symbol") return this.odd(this.text(String(value)))
    // Its digits take time that grows with the square of their number.
    if (typeof value === "bigint" && !isShort(value)) return this.odd("[a bigint of more than 300 digits]")
    if (typeof value === "bigint") return `${value}n`
    if (typeof value !== "object" && typeof value !== "function") return this.text(String(value))
    if (this.ancestors.includes(value)) return this.odd("[circular]")
    if (this.ancestors.length >= maxDepth) return this.odd("…")
    this.ancestors.push(value)
    try {
      return typeof value === "function" ? this.odd(functionText(value)) : this.object(value)
    } catch {
      return this.odd(unreadable)
    } finally {
      this.ancestors.pop()
    }
  }

  /** An error as its name and message. */
  head(error: object): { readonly name: string; readonly message: string } {
    const name = this.field(error, "name")
    const message = this.field(error, "message")
    return {
      name: typeof name === "string" && name !== "" ? this.text(name) : this.odd("Error"),
      message: typeof message === "string" ? this.text(message) : line(this.json(this.foreign(message)))
    }
  }

  /** An error with its stack, the errors that it gathers and those that caused it. */
  error(error: object): ErrorFields {
    const head = this.head(error)
    this.ancestors.push(error)
    try {
      this.shownWith(error)
      return {
        ...head,
        frames: this.stacks ? this.frames(error) : undefined,
        gathered: this.gathered(this.field(error, "errors")),
        cause: this.cause(this.field(error, "cause"))
      }
    } catch {
      this.isWhole = false
      return head
    } finally {
      this.ancestors.pop()
    }
  }

  /** Looks at what is shown of an error beside its name and message: printing it reads that, however deep it goes. */
  private shownWith(error: object): void {
    for (const key of Object.keys(error)) {
      if (isGetter(Reflect.getOwnPropertyDescriptor(error, key))) this.isWhole = false
      else {
        const held = this.field(error, key)
        // A stack that is no text is shown as any other field.
        if (!ownFields.has(key) || (key === "stack" && typeof held !== "string")) this.json(held)
      }
    }
  }

  private frames(error: object): string | undefined {
    const stack = this.field(error, "stack")
    if (typeof stack !== "string") return undefined
    const start = stack.indexOf("\n    at ")
    return start === -1 ? undefined : this.text(stack.slice(start))
  }

  private gathered(errors: unknown): ReadonlyArray<Json> | undefined {
    return Array.isArray(errors) && errors.length > 0 ? this.foreign(this.list(errors, errors.length)) : undefined
  }

  private cause(cause: unknown): ErrorFields | undefined {
    if (cause === undefined) return undefined
    const isEnd = this.nodes-- <= 0 || this.ancestors.length >= maxDepth || this.ancestors.includes(cause as object)
    if (isEnd) return { name: "Error", message: this.odd("… (further causes are left out)") }
    return isError(cause) ? this.error(cause) : { name: "Error", message: line(this.json(cause)) }
  }

  private object(value: object): Json {
    if (redactableKey in value) return this.odd("<redacted>")
    if (isError(value)) {
      if (isCode(propertyOf(value, "toJSON"))) this.isWhole = false
      return errorJson(this.error(value))
    }
    if (Array.isArray(value)) return this.list(value, value.length)
    if (ArrayBuffer.isView(value)) return this.odd(`[${value.byteLength} bytes]`)
    if (Predicate.isDate(value)) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString()
    const boxed = stringIn(value)
    if (boxed !== undefined) return this.foreign(this.text(boxed))
    if (value instanceof RegExp) return this.text(RegExp.prototype.toString.call(value))
    if (value instanceof Map) return this.collection("Map", Map.prototype.entries.call(value), value.size)
    if (value instanceof Set) return this.collection("Set", Set.prototype.values.call(value), value.size)
    if (HashMap.isHashMap(value)) return this.collection("HashMap", value, HashMap.size(value))
    if (HashSet.isHashSet(value)) return this.collection("HashSet", value, HashSet.size(value))
    if ((hashKey in value || alive in value) && hasMethod(value, "toJSON")) return this.json(value.toJSON())
    return this.record(value)
  }

  private list(values: Iterable<unknown>, size: number): ReadonlyArray<Json> {
    const items: Array<Json> = []
    for (const value of values) {
      if (items.length >= maxItems || this.nodes <= 0) break
      items.push(this.json(value))
    }
    if (items.length < size) items.push(this.odd(`… ${size - items.length} more`))
    return items
  }

  private collection(_id: string, values: Iterable<unknown>, size: number): Json {
    return { _id, values: this.list(values, size) }
  }

  private record(value: object): Json {
    const keys = Object.keys(value)
    const fields: Array<readonly [string, Json]> = []
    if (!Object.hasOwn(value, "_tag")) {
      const tag = dataOf(propertyOf(value, "_tag"))
      const name = typeof tag === "string" ? undefined : classOf(value)
      if (typeof tag === "string") fields.push(["_tag", this.text(tag)])
      else if (name !== undefined) fields.push(["_id", this.text(name)])
    }
    for (const key of keys.slice(0, maxItems)) {
      const property = Reflect.getOwnPropertyDescriptor(value, key)
      fields.push([this.text(key), isGetter(property) ? this.odd("[getter]") : this.json(this.field(value, key))])
    }
    if (keys.length > maxItems) fields.push(["…", this.odd(`${keys.length - maxItems} more`)])
    if (Symbol.iterator in value) this.isWhole = false
    for (const key of asked) {
      // A proxy has its say even where there is no getter.
      if (isCode(propertyOf(value, key))) this.isWhole = false
      else {
        const held = this.field(value, key)
        // Printing reads what is not enumerable, too.
        if (typeof held !== "function" && !keys.includes(key)) this.json(held)
      }
    }
    const tag = propertyOf(value, Symbol.toStringTag)
    if (isGetter(tag)) this.isWhole = false
    else if (typeof tag?.value === "string") this.text(tag.value)
    return Object.fromEntries(fields)
  }

  /** Reads one field, by its getter if it has one. */
  private field(value: object, key: string): unknown {
    const found = ask(() => (value as { readonly [key: string]: unknown })[key], thrown)
    return found === thrown ? this.odd(unreadable) : found
  }

  private text(text: string): string {
    const kept = cut(text, Math.max(0, this.characters))
    this.characters -= kept.length
    return kept.length === text.length ? text : this.odd(kept)
  }

  private foreign<A>(value: A): A {
    this.isWhole = false
    return value
  }

  private odd(text: string): string {
    return this.foreign(text)
  }
}

/** The text of any value: an error as its name and message, a string as it is, anything else much as JSON shows it. */
export const text = (value: unknown, length = textLength): string =>
  guarded(() => {
    const look = new Look(length)
    if (!isError(value)) return line(look.json(value))
    const { message, name } = look.head(value)
    return message === "" ? name : `${name}: ${message}`
  }, length)

/** The same with strings in quotes, for values that are shown as values: keys, payloads, states. */
export const shown = (value: unknown, length = textLength): string =>
  typeof value === "string" ? cut(JSON.stringify(cut(value, length)), length) : text(value, length)

/** What an error says, without its name; the text of anything else. */
export const messageOf = (value: unknown, length = textLength): string =>
  guarded(() => isError(value) ? new Look(length).head(value).message : text(value, length), length)

/** The same as part of a sentence, which goes on behind it: without the full stop at its end. */
export const clause = (value: unknown, length = textLength): string => messageOf(value, length).replace(/\.$/, "")

/** The value as JSON that any reader can take. */
export const json = (value: unknown, length = textLength): Json => ask(() => new Look(length).json(value), unreadable)

/** What a look at a foreign value finds; `otherwise` when it throws. */
export const ask = <A>(look: () => A, otherwise: A): A => {
  try {
    return look()
  } catch {
    return otherwise
  }
}

/** Whether it is an instance of that class; a value that does not let itself be asked is none. */
export const isInstance = <A>(value: unknown, of: abstract new(...args: never) => A): value is A =>
  ask(() => value instanceof of, false)

/** Whether it is an error. */
export const isError = (value: unknown): value is Error => isInstance(value, Error)

/** Cuts a text to a length, and marks the cut. */
export const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  // Half a surrogate pair is no character.
  const kept = text.slice(0, Math.max(0, length - 1))
  return length === 0 ? "" : `${/[\uD800-\uDBFF]$/.test(kept) ? kept.slice(0, -1) : kept}…`
}

const guarded = (make: () => string, length: number): string => cut(ask(make, unreadable), length)

/** JSON as text; a string as it is. */
export const line = (json: Json): string => typeof json === "string" ? json : JSON.stringify(json)

const errorJson = ({ cause, gathered, message, name }: ErrorFields): Json => ({
  name,
  message,
  ...(gathered === undefined ? {} : { errors: gathered }),
  ...(cause === undefined ? {} : { cause: errorJson(cause) })
})

const thrown = Symbol()

const isGetter = (property: PropertyDescriptor | undefined): boolean =>
  property?.get !== undefined || property?.set !== undefined

const dataOf = (property: PropertyDescriptor | undefined): unknown => property?.value

/** Finds a property, its own or an inherited one, and reads nothing. */
const propertyOf = (value: object, key: PropertyKey): PropertyDescriptor | undefined => {
  let holder: object | null = value
  for (let i = 0; holder !== null && i < maxItems; i++) {
    const property = Reflect.getOwnPropertyDescriptor(holder, key)
    if (property !== undefined) return property
    holder = Object.getPrototypeOf(holder)
  }
  return undefined
}

/** What code that prints an object asks of it. */
const asked = ["name", "message", "stack", "cause", "toString", "toJSON"]

const isCode = (property: PropertyDescriptor | undefined): boolean =>
  isGetter(property) || (typeof property?.value === "function" && property.value !== Object.prototype.toString)

const nameOf = (value: unknown): string | undefined => {
  const name = typeof value === "function" ? dataOf(Reflect.getOwnPropertyDescriptor(value, "name")) : undefined
  return typeof name === "string" && name !== "" ? cut(name, 100) : undefined
}

/** The name of its class; `undefined` for plain data. */
const classOf = (value: object): string | undefined => {
  const made = dataOf(propertyOf(value, "constructor"))
  return made === Object ? undefined : nameOf(made)
}

const functionText = (value: object): string => {
  const name = nameOf(value)
  return name === undefined ? "[function]" : `[function ${name}]`
}

const isShort = (value: bigint): boolean => -largest < value && value < largest

const largest = 10n ** 300n

/** The string that a `String` object stands for, which has a key for each character. */
const stringIn = (value: object): string | undefined => ask(() => String.prototype.valueOf.call(value), undefined)

// The mark of references, as `domain/process/Living` has it, which stands above this.
const alive = "~heirloom/isAlive"

const hasMethod = <K extends string>(value: object, key: K): value is { readonly [_ in K]: () => unknown } =>
  Predicate.hasProperty(value, key) && typeof value[key] === "function"
