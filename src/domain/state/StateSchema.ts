/**
 * A state's shape over time: one schema per version, and how to get from each to the next.
 *
 * A conserved state may be older than the code that reads it, or younger when a deploy is rolled back. A `StateSchema`
 * writes the newest version and reads every version it knows; what it cannot read it answers as data, so that the code
 * that restores can set the snapshot aside instead of dying on it.
 *
 * Do not use it for a state that only ever lives in memory: a plain Schema is a `StateSchema` of one version, and is
 * accepted wherever one is.
 *
 * @since 0.1.0
 */
import { Cause, Result, Schema } from "effect"
import * as GivenOption from "../options/GivenOption.ts"
import { ask, isError, messageOf } from "../text/ForeignText.ts"
import * as RoundTrip from "./RoundTrip.ts"

export { redacted } from "./shown/Redaction.ts"

const TypeId = "~heirloom/StateSchema"

/**
 * A schema that encodes and decodes without services, which is what a state's schema must be.
 *
 * @category models
 * @since 0.1.0
 */
export type Pure = Schema.ConstraintCodec<unknown, unknown>

/**
 * A state as it is stored: JSON text, and the number of the version that wrote it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Encoded {
  readonly version: number
  readonly state: string
}

/**
 * The state was read; `migratedFrom` is the version it was stored in, when that was an older one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoded<out A> {
  readonly _tag: "Decoded"
  readonly state: A
  readonly migratedFrom: number | undefined
}

/**
 * It was stored by code younger than this.
 *
 * @category models
 * @since 0.1.0
 */
export interface FromTheFuture {
  readonly _tag: "FromTheFuture"
  readonly version: number
  readonly newest: number
}

/**
 * It is not JSON, or not what its version's schema describes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Undecodable {
  readonly _tag: "Undecodable"
  readonly version: number
  readonly issue: string
}

/**
 * The migration to version `to` threw, or made something that version's schema refuses.
 *
 * @category models
 * @since 0.1.0
 */
export interface MigrationDied {
  readonly _tag: "MigrationDied"
  readonly version: number
  readonly to: number
  readonly defect: unknown
}

/**
 * Why a stored state cannot be used.
 *
 * @category models
 * @since 0.1.0
 */
export type Unreadable = FromTheFuture | Undecodable | MigrationDied

/**
 * A state that is being read, step by step: each migration is one, and so is the reading of a long text.
 *
 * @category models
 * @since 0.1.0
 */
export type Reading<S> = Generator<void, Decoded<S> | Unreadable>

/**
 * How states become text and come back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Codec<in out S> {
  encode(state: S): Result.Result<Encoded, string>
  decode(version: number, text: string): Decoded<S> | Unreadable
  /** The same in steps, between which others may have their turn. */
  decoding(version: number, text: string): Reading<S>
}

/**
 * A state's schema with its versions; `S` is the newest one.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateSchema<out S extends Pure> {
  readonly [TypeId]: typeof TypeId
  /** Number of the newest version; the first is 1. */
  readonly version: number
  /** The schema of the newest version. */
  readonly schema: S
  /**
   * Adds a version after this one.
   *
   * **Details**
   *
   * `migrate` gets the decoded state of the version before and runs once per restore, until the state is committed
   * again. It must be pure: if it throws, or returns what `schema` refuses, the snapshot is suspect.
   *
   * **Gotchas**
   *
   * Versions are numbered by their place: never remove or reorder one that any store may still hold.
   */
  next<const N extends Pure>(schema: N, migrate: (state: S["Type"]) => N["Type"]): StateSchema<N>
  /**
   * The state as JSON text of the newest version, or what is wrong with it: it "does not fit its schema", "has no JSON
   * text", is nested deeper than a fresh process can read, or would be another one when it is read back.
   */
  encode(state: S["Type"]): Result.Result<Encoded, string>
  /** The state back from its text, migrated to the newest version, or why it cannot be used. */
  decode(version: number, text: string): Decoded<S["Type"]> | Unreadable
  /** The same in steps: between two of them others may have their turn. */
  decoding(version: number, text: string): Reading<S["Type"]>
}

/**
 * The type of the state described by a schema, with or without versions.
 *
 * @category models
 * @since 0.1.0
 */
export type TypeOf<S> = S extends StateSchema<infer N> ? N["Type"] : S extends Pure ? S["Type"] : never

/**
 * Whether a value is a `StateSchema`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isStateSchema = (u: unknown): u is StateSchema<Pure> => typeof u === "object" && u !== null && TypeId in u

interface Version {
  readonly encode: (state: unknown) => unknown
  readonly decode: (json: unknown) => Result.Result<unknown, unknown>
  /** Checks what a migration made. */
  readonly check: (state: unknown) => Result.Result<unknown, unknown>
  /** From the version before. */
  readonly migrate: (state: unknown) => unknown
}

const versionOf = (schema: Pure, migrate: (state: unknown) => unknown): Version => {
  const codec = Schema.toCodecJson(schema)
  return {
    // The throwing encoder is the compiled one, twice as fast as the one that answers a Result; this runs per commit.
    encode: Schema.encodeUnknownSync(codec),
    decode: Schema.decodeUnknownResult(codec),
    check: Schema.decodeUnknownResult(Schema.toType(schema)),
    migrate
  }
}

const textOf = (error: unknown): string => {
  const cause = ask(() => isError(error) && error.cause !== undefined ? error.cause : error, error)
  const found = Cause.isCause(cause) ? Cause.squash(cause) : cause
  return isOverflow(found) ? "it is nested too deep" : messageOf(found)
}

const isOverflow = (error: unknown): boolean => error instanceof RangeError && messageOf(error).includes("call stack")

/** A result, or the text of what was thrown or answered instead. */
const attempt = <A>(f: () => Result.Result<A, unknown>): Result.Result<A, string> =>
  Result.mapError(Result.flatMap(Result.try(f), (result) => result), textOf)

/**
 * Levels of arrays and objects that the text of a state may have.
 *
 * Reading is recursive, and a fresh process has larger stack frames than one that has compiled its code: a state that a
 * warm process writes with ease can overflow the stack of the next one. Schemas that were tried overflow it from 1,250
 * levels on (nothing compiled); this leaves four fifths of that for others.
 */
const maxDepth = 256

/** Writes states of one version as text, or says what is wrong with one. */
const writerOf = (schema: Pure, { decode, encode }: Version): (state: unknown) => Result.Result<string, string> => {
  // A schema may refer to what is not defined yet when it is made.
  let known: RoundTrip.Traits | undefined

  const checked = (state: unknown, encoded: unknown): Result.Result<string, string> => {
    const text: string | undefined = JSON.stringify(encoded)
    if (text === undefined) return Result.fail("has no JSON text")
    known ??= RoundTrip.traitsOf(schema)
    if (known.isDeep && text.length > 2 * maxDepth && RoundTrip.depthOf(text) > maxDepth) {
      return Result.fail(`is nested more than ${maxDepth} levels deep: a fresh process might not be able to read it`)
    }
    if (!known.isFaithful) return readBack(state, text)
    const path = RoundTrip.unnamed(state, encoded)
    return path === undefined ? Result.succeed(text) : another(path)
  }

  const another = (path: ReadonlyArray<string>): Result.Result<never, string> => {
    const where = path.map((key) => `["${key}"]`).join("")
    return Result.fail(
      `would be another one when it is read back from its text${where === "" ? "" : ` (at ${where})`}: ` +
        "give it a schema that says what it is"
    )
  }

  const readBack = (state: unknown, text: string): Result.Result<string, string> => {
    const back = attempt(() => decode(JSON.parse(text)))
    if (Result.isFailure(back)) return Result.fail(`cannot be read back from its text: ${back.failure}`)
    let isOpaque = false
    const path = RoundTrip.difference(state, back.success, () => isOpaque = true)
    const isSame = path === undefined && !(isOpaque && JSON.stringify(encode(back.success)) !== text)
    return isSame ? Result.succeed(text) : another(path ?? [])
  }

  return (state) =>
    Result.flatMap(
      Result.mapError(
        Result.try(() => encode(state)),
        (error) => `does not fit its schema: ${textOf(error)}`
      ),
      (encoded) => attempt(() => checked(state, encoded))
    )
}

const build = <S extends Pure>(schema: S, versions: ReadonlyArray<Version>): StateSchema<S> => {
  const newest = versions.length
  const write = writerOf(schema, versions[newest - 1]!)
  return {
    [TypeId]: TypeId,
    version: newest,
    schema,
    // The cast loses only the parameter's name for the state's type: what it is called with is what `decode` made.
    next: (schema, migrate) =>
      build(schemaOf("next of a StateSchema", schema), [
        ...versions,
        versionOf(schema, migrate as (state: unknown) => unknown)
      ]),
    encode: (state) => Result.map(write(state), (text) => ({ version: newest, state: text })),
    decode: (version, text) => atOnce(read(versions, version, text)),
    decoding: (version, text) => read(versions, version, text)
  }
}

/** A text that is longer takes a turn of its own to be read. */
const longText = 16_384

const read = function*(versions: ReadonlyArray<Version>, version: number, text: string): Reading<unknown> {
  const newest = versions.length
  if (!Number.isInteger(version) || version < 1) {
    return { _tag: "Undecodable", version, issue: "there is no such version" }
  }
  if (version > newest) return { _tag: "FromTheFuture", version, newest }
  if (text.length > longText) yield
  const stored = attempt(() => versions[version - 1]!.decode(JSON.parse(text)))
  if (Result.isFailure(stored)) return { _tag: "Undecodable", version, issue: stored.failure }
  let state = stored.success
  for (let to = version + 1; to <= newest; to++) {
    yield
    const { check, migrate } = versions[to - 1]!
    const before = state
    const migrated = Result.try(() => migrate(before))
    if (Result.isFailure(migrated)) return { _tag: "MigrationDied", version, to, defect: migrated.failure }
    const checked = attempt(() => check(migrated.success))
    if (Result.isFailure(checked)) return { _tag: "MigrationDied", version, to, defect: checked.failure }
    state = checked.success
  }
  return { _tag: "Decoded", state, migratedFrom: version === newest ? undefined : version }
}

/** Takes all the steps, one after the other. */
const atOnce = <A>(steps: Generator<void, A>): A => {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/**
 * The first version of a state's schema.
 *
 * **When to use**
 *
 * From the first release that stores states durably: adding a version to a state that began as a plain Schema works as
 * well, since a plain Schema is version 1.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { StateSchema } from "heirloom"
 *
 * const V1 = Schema.Struct({ count: Schema.Int })
 * const V2 = Schema.Struct({ count: Schema.Int, step: Schema.Int })
 *
 * const State = StateSchema.make(V1).next(V2, ({ count }) => ({ count, step: 1 }))
 *
 * console.log(JSON.stringify(State.decode(1, `{"count":41}`)))
 * // => {"_tag":"Decoded","state":{"count":41,"step":1},"migratedFrom":1}
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const S extends Pure>(schema: S): StateSchema<S> =>
  build(schemaOf("StateSchema.make", schema), [versionOf(schema, (state) => state)])

const schemaOf = <S>(of: string, schema: S): S => GivenOption.schema({ of, option: "schema", given: schema })

/**
 * A plain schema as a `StateSchema` of one version; a `StateSchema` as it is.
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = <S extends Pure>(source: S | StateSchema<S>): StateSchema<S> =>
  isStateSchema(source) ? source : make(schemaOf("StateSchema.from", source))

/**
 * What is wrong with a stored state, for people.
 *
 * @category conversions
 * @since 0.1.0
 */
export const explain = (unreadable: Unreadable): string => {
  switch (unreadable._tag) {
    case "FromTheFuture":
      return `stored as version ${unreadable.version}, and this code knows versions up to ${unreadable.newest}`
    case "Undecodable":
      return `not a state of version ${unreadable.version}: ${unreadable.issue}`
    case "MigrationDied":
      return `the migration to version ${unreadable.to} died: ${textOf(unreadable.defect)}`
  }
}
