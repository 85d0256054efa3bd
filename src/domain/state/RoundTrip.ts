/**
 * Whether a state comes back from its text as it went.
 *
 * A store holds text. A state that is acknowledged and comes back as another one is lost, which shows at the next start
 * alone. Most schemas cannot do that: their encoding and their decoding undo each other ({@link traitsOf}). A state of
 * any other schema is read back before it is written ({@link difference}).
 *
 * *Tricky*
 * - A property that is `undefined` and one that is not there are the same here: JSON has no `undefined`.
 * - An object of a class of its own is compared by its class alone; its contents are compared by their text, which is
 *   as much as its codec says of it.
 *
 * @since 0.1.0
 */
import type { Schema, SchemaAST } from "effect"

/** Types of effect's own whose codec gives back what it got, if those of their parameters do. */
const faithful: ReadonlySet<unknown> = new Set(
  [
    "BigDecimal",
    "ByteSize",
    "Chunk",
    "Date",
    "DateTimeUtc",
    "DateTimeZoned",
    "Duration",
    "HashMap",
    "HashSet",
    "Option",
    "ReadonlyMap",
    "ReadonlySet",
    "Result",
    "TimeZone",
    "TimeZoneNamed",
    "TimeZoneOffset",
    "URL",
    "Uint8Array"
  ].map((name) => `effect/schema/${name}`)
)

/** What is known of the states of a schema before there is one. */
export interface Traits {
  /** Whether each comes back from its JSON as it went. If not, this does not know whether it does. */
  readonly isFaithful: boolean
  /** Whether its JSON may be nested deeper than the schema is written. */
  readonly isDeep: boolean
}

/**
 * The traits of a schema.
 *
 * It is not faithful if part of it has no type (`Unknown`, `Any`), has a codec that is not effect's own, or is a union
 * whose members may have the same JSON.
 */
export const traitsOf = (schema: Schema.Constraint): Traits => {
  let isRecursive = false
  const seen = new Set<SchemaAST.AST>()
  const isFaithful = (ast: SchemaAST.AST): boolean => {
    if (seen.has(ast)) return true
    seen.add(ast)
    if (ast.encoding !== undefined) return false
    switch (ast._tag) {
      case "Declaration": {
        const { representation } = ast.annotations ?? {}
        const { id } = Object(representation) as { readonly id?: unknown }
        return faithful.has(id) && ast.typeParameters.every(isFaithful)
      }
      case "Any":
      case "Unknown":
      case "ObjectKeyword":
        return false
      case "Arrays":
        return ast.elements.every(isFaithful) && ast.rest.every(isFaithful)
      case "Objects":
        return ast.propertySignatures.every(({ type }) => isFaithful(type)) &&
          ast.indexSignatures.every(({ parameter, type }) => isFaithful(parameter) && isFaithful(type))
      case "Union":
        return ast.types.every(isFaithful) && areApart(ast.types)
      case "Suspend":
        isRecursive = true
        return isFaithful(ast.thunk())
      default:
        return true
    }
  }
  const known = isFaithful(schema.ast)
  return { isFaithful: known, isDeep: !known || isRecursive }
}

/** Whether no two members of a union can have the same JSON. */
const areApart = (members: ReadonlyArray<SchemaAST.AST>): boolean =>
  members.every((one, index) => members.slice(index + 1).every((other) => isApart(one, other)))

const isApart = (one: SchemaAST.AST, other: SchemaAST.AST): boolean => {
  const [kinds, others] = [kindsOf(one), kindsOf(other)]
  if (!kinds.some((kind) => others.includes(kind))) return true
  if (one._tag === "Literal" && other._tag === "Literal") return one.literal !== other.literal
  if (one._tag !== "Objects" || other._tag !== "Objects") return false
  return one.propertySignatures.some(({ name, type }) => {
    const same = other.propertySignatures.find((property) => property.name === name)?.type
    return type._tag === "Literal" && same?._tag === "Literal" && type.literal !== same.literal
  })
}

const anything = ["null", "boolean", "number", "string", "array", "object"] as const

/** The kinds of JSON that a schema's values can be. */
const kindsOf = (ast: SchemaAST.AST): ReadonlyArray<typeof anything[number]> => {
  switch (ast._tag) {
    case "Null":
    case "Undefined":
    case "Void":
      return ["null"]
    case "Boolean":
      return ["boolean"]
    case "Number":
      // One that is not finite is text.
      return ["number", "string"]
    case "Literal":
      return typeof ast.literal === "number" ? ["number"] : typeof ast.literal === "boolean" ? ["boolean"] : ["string"]
    case "String":
    case "BigInt":
    case "Symbol":
    case "UniqueSymbol":
    case "TemplateLiteral":
      return ["string"]
    case "Arrays":
      return ["array"]
    case "Objects":
      return ["object"]
    case "Never":
      return []
    default:
      return anything
  }
}

const isPlain = (prototype: unknown): boolean => prototype === null || prototype === Object.prototype

/** JSON has no symbols: what is under one comes back only if the schema says how. */
const namesOf = (one: object): ReadonlyArray<PropertyKey> => [...Object.keys(one), ...Object.getOwnPropertySymbols(one)]

/**
 * Where two states differ, as the path of the first difference; `undefined` if nowhere. `opaque` is called if there are
 * objects of a class of their own, which this does not look into.
 */
export const difference = (one: unknown, other: unknown, opaque: () => void): ReadonlyArray<string> | undefined => {
  // Not `Object.is`: JSON has one zero.
  if (one === other || (Number.isNaN(one) && Number.isNaN(other))) return undefined
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return []
  const [prototype, otherPrototype] = [Object.getPrototypeOf(one), Object.getPrototypeOf(other)]
  if (prototype !== otherPrototype && !(isPlain(prototype) && isPlain(otherPrototype))) return []
  if (!Array.isArray(one) && !isPlain(prototype)) {
    opaque()
    return undefined
  }
  for (const key of new Set([...namesOf(one), ...namesOf(other)])) {
    const found = difference(Reflect.get(one, key), Reflect.get(other, key), opaque)
    if (found !== undefined) return [String(key), ...found]
  }
  return Array.isArray(one) && one.length !== Reflect.get(other, "length") ? ["length"] : undefined
}

type Named = Readonly<Record<PropertyKey, unknown>>

/**
 * Where a state has a property that what it is encoded as has not, as a path: its schema does not name it, and it would
 * not come back. An object of a class may have properties of its own; what its schema names is looked into.
 */
export const unnamed = (state: unknown, encoded: unknown): ReadonlyArray<string> | undefined => {
  if (typeof state !== "object" || typeof encoded !== "object" || state === null || encoded === null) return undefined
  return Array.isArray(encoded)
    ? unnamedItem(Array.isArray(state) ? state : itemsOf(state), encoded)
    : unnamedField(state as Named, encoded as Named)
}

const unnamedField = (state: Named, encoded: Named): ReadonlyArray<string> | undefined => {
  const isOwn = !isPlain(Object.getPrototypeOf(state))
  for (const name of Object.keys(isOwn ? encoded : state)) {
    const value = state[name]
    if (value === undefined) continue
    if (!Object.hasOwn(encoded, name)) return [name]
    const found = typeof value === "object" ? unnamed(value, encoded[name]) : undefined
    if (found !== undefined) return [name, ...found]
  }
  if (isOwn) return undefined
  const symbols = Object.getOwnPropertySymbols(state)
  return symbols.length === 0 ? undefined : [String(symbols[0])]
}

const unnamedItem = (items: ReadonlyArray<unknown>, encoded: ReadonlyArray<unknown>) => {
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    const found = typeof item === "object" ? unnamed(item, encoded[i]) : undefined
    if (found !== undefined) return [String(i), ...found]
  }
  return undefined
}

/** The items of a collection, in the order in which it is encoded. */
const itemsOf = (collection: object): ReadonlyArray<unknown> =>
  Symbol.iterator in collection ? Array.from(collection as Iterable<unknown>) : []

/** How many levels of arrays and objects a JSON text has. */
export const depthOf = (json: string): number => {
  let deepest = 0
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(json, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > deepest) deepest = depth
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth--
        break
    }
  }
  return deepest
}

/** Where the string that begins at `from` ends. */
const endOfString = (json: string, from: number): number => {
  let at = json.indexOf("\"", from + 1)
  while (at !== -1) {
    let backslashes = 0
    while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return at
    at = json.indexOf("\"", at + 1)
  }
  return json.length
}
