/**
 * What is left of a state, or of what a message carries, when the parts that its schema marks as secret are not to be
 * seen.
 *
 * *Tricky*: what cannot be taken apart (an `Option`, a `HashMap`) and holds a marked part is hidden as a whole; so is a
 * value of a union that fits no member. Too much is hidden rather than too little.
 *
 * @since 0.1.0
 */
import { Schema, type SchemaAST } from "effect"
import * as GivenOption from "../../options/GivenOption.ts"
import { classKey } from "../../text/EffectKeys.ts"

const mark = "heirloom/redacted"

/** Stands in the place of what is not to be seen. */
export const redactedText = "<redacted>"

/**
 * Marks a part of a state, or of a message, as secret: it is shown as `<redacted>` wherever that is shown to people.
 *
 * **Details**
 *
 * By `Sys.getStatus`, `Sys.committed`, `Sys.trace(ref, true)`, crash reports, the observer, and errors about a payload.
 * An error with a marked part is hidden as a whole. A `formatStatus` that answers with something of its own decides for
 * itself. The value is not changed, and neither is what a store or a program gets (`Sys.log`, `Sys.quarantined`): one
 * that is to be safe from code, too, is a `Schema.Redacted`.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { StateSchema } from "heirloom"
 *
 * const Account = Schema.Struct({ owner: Schema.String, pin: StateSchema.redacted(Schema.String) })
 * ```
 *
 * @category annotations
 * @since 0.1.0
 */
export const redacted = <S extends Schema.Top>(schema: S): S["Rebuild"] =>
  GivenOption.schema({ of: "StateSchema.redacted", option: "schema", given: schema }).annotate({ [mark]: true })

type Redact = (value: unknown) => unknown

const isMarked = ({ annotations, checks, context }: SchemaAST.AST): boolean =>
  [annotations, context?.annotations, ...(checks ?? []).map((check) => check.annotations)].some((one) =>
    one?.[mark] === true
  )

/** The parts of a schema, but for those that are made when they are asked for. */
const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type)
    case "Arrays":
      return [...ast.elements, ...ast.rest]
    case "Union":
      return ast.types
    case "Suspend":
      return [ast.thunk()]
    default:
      return []
  }
}

/** Whether a schema marks any part. */
const hides = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST> = new Set()): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  return isMarked(ast) || partsOf(ast).some((part) => hides(part, seen))
}

const hidden: Redact = () => redactedText

/** How the states of a schema are shown; `undefined` when it hides nothing, and they are shown as they are. */
export const redactionOf = (schema: Schema.Constraint): Redact | undefined => {
  const known = new Map<SchemaAST.AST, Redact>()
  const of = (ast: SchemaAST.AST): Redact => {
    const one = known.get(ast)
    if (one !== undefined) return one
    // A schema may be part of itself.
    known.set(ast, (value) => known.get(ast)!(value))
    const made = isMarked(ast) ? hidden : hides(ast) ? within(ast) : (value: unknown) => value
    known.set(ast, made)
    return made
  }
  const within = (ast: SchemaAST.AST): Redact => {
    switch (ast._tag) {
      case "Objects":
        return objects(ast)
      case "Arrays":
        return arrays(ast)
      case "Union":
        return union(ast)
      case "Suspend":
        return of(ast.thunk())
      case "Declaration": {
        // A class is a struct with methods: its fields are those of the one that it is made of. An Option of a struct
        // is not.
        const [from] = ast.typeParameters
        return from !== undefined && ast.annotations?.[classKey] !== undefined ? of(from) : hidden
      }
      default:
        return hidden
    }
  }
  const objects = ({ indexSignatures, propertySignatures }: SchemaAST.Objects): Redact => {
    const fields = new Map(propertySignatures.map(({ name, type }) => [name, of(type)]))
    const others = indexSignatures.map(({ type }) => of(type))
    return (value) => {
      if (typeof value !== "object" || value === null) return redactedText
      const shown: Record<PropertyKey, unknown> = {}
      for (const name of Reflect.ownKeys(value)) {
        const field: unknown = Reflect.get(value, name)
        const one = fields.get(name)
        shown[name] = one === undefined ? others.reduce((shown, other) => other(shown), field) : one(field)
      }
      return shown
    }
  }
  const arrays = ({ elements, rest }: SchemaAST.Arrays): Redact => {
    const first = elements.map(of)
    const others = rest.map(of)
    return (value) =>
      Array.isArray(value)
        ? value.map((item, i) =>
          i < first.length ? first[i]!(item) : others.reduce((shown, other) => other(shown), item)
        )
        : redactedText
  }
  const union = ({ types }: SchemaAST.Union): Redact => {
    const members = types.map((type) => ({ fits: Schema.is(Schema.make(type)), redact: of(type) }))
    return (value) => {
      const fitting = members.filter(({ fits }) => fits(value))
      return fitting.length === 0 ? redactedText : fitting.reduce((shown, { redact }) => redact(shown), value)
    }
  }
  const ast = Schema.toType(schema).ast
  if (!hides(ast)) return undefined
  const redact = of(ast)
  return (state) => {
    try {
      return redact(state)
    } catch {
      // A state may be anything: a getter that throws, a list without end.
      return redactedText
    }
  }
}
