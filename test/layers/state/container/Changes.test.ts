/** What a reader of a state is shown first, by what is known of the state at that moment. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream } from "effect"
import type { Change } from "../../../../src/domain/state/shown/Change.ts"
import type { Process } from "../../../../src/layers/process/Process.ts"
import type { CompanionTable } from "../../../../src/layers/state/companion/CompanionTable.ts"
import type { Reader, Watched } from "../../../../src/layers/state/companion/Watched.ts"
import { changes, type ChangesOptions, type Whose } from "../../../../src/layers/state/container/Changes.ts"

type State = { readonly name: string }
const state = (name: string): State => ({ name })

/** What is known of a state: what was handed on of it, what its server has, and what a store has. */
interface Known {
  readonly books?: { readonly state: State; readonly seq: number; readonly incarnation: number }
  readonly isPending?: boolean
  readonly isStored?: boolean
  readonly inMemory?: State
  readonly owner?: { readonly incarnation: number }
  readonly snapshots?: ReadonlyArray<{ readonly state: State; readonly seq: number; readonly incarnation: number }>
  /** Called while the snapshots are read. */
  readonly meanwhile?: (reader: Reader<State>) => void
}

const server = { id: 1 } as unknown as Process

const said = (change: Change<State>): string => {
  switch (change._tag) {
    case "Committed":
    case "Restored":
      return `${change.state.name} ${change.seq} of ${change.incarnation}${change.isConserved ? "" : "?"}`
    case "Ended":
    case "RolledBack":
      return change._tag
  }
}

/** What is shown of it, when what is done with the reader is done. */
const shown = Effect.fnUntraced(function*(
  { books, inMemory, isPending = false, isStored = false, meanwhile, owner, snapshots = [] }: Known,
  act: (reader: Reader<State>) => void,
  options?: ChangesOptions,
  whose?: Whose
) {
  let reader: Reader<State> | undefined
  let left = 0
  const watched = {
    latest: { books, isPending, store: isStored ? "store" : undefined, stored: 0 },
    owner,
    youngest: 9,
    snapshots: Effect.sync(() => {
      meanwhile?.(reader!)
      return snapshots
    })
  } as unknown as Watched<State>
  const table = {
    watch: (key: string, one: Reader<State>) => {
      assert.strictEqual(key, "a")
      reader = one
      return { watched, inMemory: Option.fromUndefinedOr(inMemory), leave: () => left++ }
    }
  } as unknown as CompanionTable<State>
  const fiber = yield* Effect.forkChild(Stream.runCollect(changes(table, "Desk", "a", options, whose)), {
    startImmediately: true
  })
  act(reader!)
  const all = yield* Fiber.join(fiber)
  assert.strictEqual(left, 1)
  return Array.from(all, said)
})

const over = (reader: Reader<State>) => reader.released(server, true)
const stored = (seq: number) => (reader: Reader<State>) => {
  reader.stored(seq)
  over(reader)
}
const committed: ChangesOptions = { show: "committed" }

describe("what is shown of a state first", () => {
  const books = { state: state("b"), seq: 7, incarnation: 2 }
  const owner = { incarnation: 3 }
  const other = state("m")
  /** What a store has beside what is in memory is not asked for. */
  const snapshots = [{ state: state("s"), seq: 4, incarnation: 1 }, { state: state("r"), seq: 3, incarnation: 1 }]

  it.effect("is what was handed on, where nothing newer waits for that", () =>
    Effect.gen(function*() {
      for (const inMemory of [undefined, books.state, other] as const) {
        const known = { books, owner, ...(inMemory === undefined ? {} : { inMemory }) }
        assert.deepStrictEqual(yield* shown(known, over), ["b 7 of 2"])
        assert.deepStrictEqual(yield* shown(known, over, committed), ["b 7 of 2"])
      }
    }))

  it.effect("is when it is stored what waits to be stored, or at once where that is asked for", () =>
    Effect.gen(function*() {
      for (const inMemory of [undefined, books.state] as const) {
        const known = {
          books,
          isPending: true,
          isStored: true,
          owner,
          snapshots,
          ...(inMemory === undefined ? {} : { inMemory })
        }
        assert.deepStrictEqual(yield* shown(known, over), [])
        assert.deepStrictEqual(yield* shown(known, stored(6)), [])
        assert.deepStrictEqual(yield* shown(known, stored(7)), ["b 7 of 2"])
        assert.deepStrictEqual(yield* shown(known, over, committed), ["b 7 of 2?"])
      }
    }))

  it.effect("is what was handed on, and the newer one when that is stored; at once the newer one alone", () =>
    Effect.gen(function*() {
      const known = { books, isPending: true, isStored: true, inMemory: other, owner, snapshots }
      assert.deepStrictEqual(yield* shown(known, over), ["b 7 of 2"])
      assert.deepStrictEqual(yield* shown(known, stored(7)), ["b 7 of 2"])
      assert.deepStrictEqual(yield* shown(known, stored(8)), ["b 7 of 2", "m 8 of 3"])
      assert.deepStrictEqual(yield* shown(known, over, committed), ["m 8 of 3?"])
      const ownerless = { books, isPending: true, isStored: true, inMemory: other }
      assert.deepStrictEqual(yield* shown(ownerless, over, committed), ["m 8 of 9?"])
    }))

  it.effect("is what its server has, where nothing was handed on: over a store with its first change alone", () =>
    Effect.gen(function*() {
      const known = { inMemory: other, owner, snapshots }
      assert.deepStrictEqual(yield* shown(known, over), ["m 0 of 3"])
      assert.deepStrictEqual(yield* shown({ ...known, isStored: true }, stored(0)), [])
      assert.deepStrictEqual(yield* shown({ ...known, isStored: true }, over, committed), ["m 0 of 3?"])
      const pending = { ...known, isPending: true }
      assert.deepStrictEqual(yield* shown(pending, over), [])
      assert.deepStrictEqual(yield* shown(pending, stored(1)), ["m 1 of 3"])
      assert.deepStrictEqual(yield* shown({ ...pending, isStored: true }, over, committed), ["m 1 of 3?"])
    }))

  it.effect("is read from a store where no server has it, unless a server has shown what is newer meanwhile", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* shown({ snapshots }, over), [])
      assert.deepStrictEqual(yield* shown({ isStored: true }, over), [])
      for (const options of [undefined, committed]) {
        assert.deepStrictEqual(yield* shown({ isStored: true, snapshots }, over, options), ["s 4 of 1"])
        const meanwhile = (reader: Reader<State>) =>
          reader.changed({ _tag: "Committed", state: state("n"), seq: 5, incarnation: 2, isConserved: true })
        assert.deepStrictEqual(yield* shown({ isStored: true, snapshots, meanwhile }, over, options), ["n 5 of 2"])
      }
    }))
})

describe("what is shown of a state", () => {
  const ended = { _tag: "Ended", incarnation: 1, reason: { _tag: "Normal" } } as const
  const whose = (isGone: () => boolean): Whose => ({ process: server, isGone })
  const commit = (seq: number, isConserved: boolean) => (reader: Reader<State>) =>
    reader.changed({ _tag: "Committed", state: state("c"), seq, incarnation: 1, isConserved })

  it.effect("ends with its process: what is on its way to the store is waited for", () =>
    Effect.gen(function*() {
      let isGone = false
      const acts = (...some: ReadonlyArray<(reader: Reader<State>) => void>) => (reader: Reader<State>) =>
        some.forEach((one) => one(reader))
      const release = (process: Process) => (reader: Reader<State>) => reader.released(process, false)
      const gone = () => {
        isGone = true
      }
      const other = { id: 2 } as unknown as Process
      const all = acts(
        commit(1, true),
        // It comes back.
        release(server),
        commit(2, true),
        gone,
        release(other),
        commit(3, false),
        release(server),
        (reader) => reader.stored(3)
      )
      assert.deepStrictEqual(yield* shown({}, all, {}, whose(() => isGone)), ["c 1 of 1", "c 2 of 1", "c 3 of 1"])
      const lost = acts(commit(1, true), commit(2, false), (reader) =>
        reader.changed(ended), (reader) =>
        reader.ended(), (
        reader
      ) =>
        reader.lost())
      assert.deepStrictEqual(yield* shown({}, lost), ["c 1 of 1", "Ended"])
      assert.deepStrictEqual(
        yield* shown(
          {},
          acts(commit(1, false), (reader) =>
            reader.lost(), over)
        ),
        []
      )
      assert.deepStrictEqual(
        yield* shown(
          {},
          acts(commit(1, false), (reader) =>
            reader.changed(ended), over)
        ),
        [
          "Ended"
        ]
      )
      assert.deepStrictEqual(yield* shown({}, acts(commit(0, false), release(server), commit(1, true), over)), [
        "c 1 of 1"
      ])
      assert.deepStrictEqual(yield* shown({}, acts(commit(0, false), over), committed), ["c 0 of 1?"])
      // It was gone before it was watched.
      assert.deepStrictEqual(yield* shown({}, () => {}, {}, whose(() => true)), [])
    }))

  it.effect("that waits, to be stored or to be read, is as much as the reader has room for: the newest, or the oldest; sixteen changes by default", () =>
    Effect.gen(function*() {
      const twenty = (reader: Reader<State>) => {
        for (let seq = 1; seq <= 20; seq++) commit(seq, false)(reader)
        stored(20)(reader)
      }
      const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
      for (const show of ["stored", "committed"] as const) {
        const seqs = (buffer: ChangesOptions["buffer"]) =>
          Effect.map(shown({}, twenty, { buffer, show }), (all) => all.map((one) => Number.parseInt(one.slice(2), 10)))
        assert.deepStrictEqual(yield* seqs(undefined), upTo(5, 20))
        assert.deepStrictEqual(yield* seqs({ capacity: 3 }), [18, 19, 20])
        assert.deepStrictEqual(yield* seqs({ capacity: 1, strategy: "sliding" }), [20])
        assert.deepStrictEqual(yield* seqs({ capacity: 3, strategy: "dropping" }), [1, 2, 3])
        assert.deepStrictEqual(yield* seqs({ capacity: "unbounded" }), upTo(1, 20))
      }
    }))

  it("cannot be asked for with options that are none: which is said by name", () => {
    const refused = (options: unknown) => () =>
      changes({} as CompanionTable<State>, "Desk", "a", options as ChangesOptions)
    assert.throws(refused({ show: "all" }), /Desk.*"all" as show/)
    assert.throws(refused({ buffer: { capacity: 2, strategy: "suspend" } }), /Desk.*"suspend" as buffer\.strategy/)
    assert.throws(refused({ buffer: { capacity: 0 } }), /Desk.*0 as buffer\.capacity/)
    assert.throws(refused({ buffer: { capacity: 1.5 } }), /Desk.*1\.5 as buffer\.capacity/)
  })
})
