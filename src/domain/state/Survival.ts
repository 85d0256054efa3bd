/**
 * What a companion survives, as a grade that the type checker compares.
 *
 * `"nothing" < "crash" < "process" < "machine"`: each grade includes those before it. A companion grants its grade and
 * every lower one; a server may demand one, and demanding more than is granted does not compile.
 *
 * @since 0.1.0
 */

/**
 * What a companion survives: nothing, the server's crash, the process's death, the machine's.
 *
 * @category models
 * @since 0.1.0
 */
export type Grade = "nothing" | "crash" | "process" | "machine"

/** Every grade, weakest first. */
export const grades: ReadonlyArray<Grade> = ["nothing", "crash", "process", "machine"]

/** Whether `granted` is at least `demanded`. */
export const covers = (granted: Grade, demanded: Grade): boolean => grades.indexOf(granted) >= grades.indexOf(demanded)

/**
 * The evidence, at the type level, that the companion of `Self` survives `G`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Survives<in out Self, G> {
  readonly "~heirloom/Survives": (_: Self) => readonly [Self, G]
}

/**
 * The evidence, at the type level, that each key of `Self` is claimed by itself (`fence: "key"`): its servers may be in
 * many processes over one store.
 *
 * @category models
 * @since 0.1.0
 */
export interface FencedByKey<in out Self> {
  readonly "~heirloom/FencedByKey": (_: Self) => Self
}

/** What a companion grants whose fence is `F`. */
export type FenceGrants<Self, F> = [F] extends ["key"] ? FencedByKey<Self> : never

/** What a server that asks for `G` requires. */
export type Demands<Self, G> = G extends "nothing" ? never : Survives<Self, G>

/** What a companion of grade `G` provides. */
export type Grants<Self, G> = G extends "machine"
  ? Survives<Self, "machine"> | Survives<Self, "process"> | Survives<Self, "crash">
  : G extends "process" ? Survives<Self, "process"> | Survives<Self, "crash">
  : G extends "crash" ? Survives<Self, "crash">
  : never
