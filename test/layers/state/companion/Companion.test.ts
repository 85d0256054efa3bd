import { assert, it } from "@effect/vitest"
import { Effect, Option, Ref } from "effect"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import { type Cell, RefCompanion, restOf } from "../../../../src/layers/state/companion/RefCompanion.ts"
import { TableRows } from "../../../../src/layers/state/companion/TableRows.ts"
import { WriteBehindCompanion } from "../../../../src/layers/state/companion/WriteBehindCompanion.ts"
import { contract, kinds, sameLives, takeOver } from "../../../kit/CompanionContract.ts"

for (const kind of kinds) contract(kind)

sameLives(kinds.filter(({ conserves, isPrompt }) => conserves === "commits" && isPrompt))

const rest = restOf(undefined)

it.effect("a companion's snapshots are the value of an effect Ref: what it commits the Ref holds", () =>
  Effect.gen(function*() {
    const cell = yield* Ref.make<Generations.Generations<number>>(undefined)
    const companion = new RefCompanion<number>("a", rest, cell)
    yield* takeOver(companion, 3)
    yield* companion.set(41)
    assert.deepStrictEqual(yield* companion.snapshots, [{ state: 41, seq: 1, incarnation: 3 }])
    companion.commit(3, 42, "call")
    assert.deepInclude(yield* Ref.get(cell), { state: 42, seq: 2, goodState: 41, goodSeq: 1, trust: "probation" })
    yield* Ref.update(cell, (books) => books && Generations.handled(books))
    assert.deepStrictEqual(yield* companion.get, Option.some(42))
    yield* Ref.set(cell, undefined)
    assert.deepStrictEqual([yield* companion.get, yield* companion.snapshots], [Option.none(), []])
  }))

it.effect("a state that is conserved late is not shown before", () =>
  Effect.gen(function*() {
    const waiting = new Set<WriteBehindCompanion<number>>()
    const companion = new WriteBehindCompanion(new RefCompanion<number>("a", rest), false, waiting)
    yield* takeOver(companion, 1)
    companion.commit(1, 10, "call")
    assert.deepStrictEqual([yield* companion.get, waiting.has(companion)], [Option.none(), true])
    companion.flush()
    assert.deepStrictEqual(yield* companion.get, Option.some(10))
  }))

it.effect("a row is dropped with its value when no companion holds it, and found by the next when one does", () =>
  Effect.sync(() => {
    const rows = new TableRows()
    const companion = new RefCompanion<unknown>("a", rest, rows.attach("row"))
    companion.commit(0, 1, "call")
    rows.remove("row")
    rows.put("row", 2)
    assert.deepStrictEqual([rows.names, rows.get("row")?.state], [["row"], 2])
    companion.commit(0, 3, "call")
    assert.strictEqual(rows.get("row")?.state, 3)
    rows.remove("row")
    rows.put("row", 5)
    assert.strictEqual(rows.get("row")?.seq, 4, "no number is given twice")
    companion.forget()
    assert.deepStrictEqual(rows.names, [])
    const cell: Cell<unknown> = rows.attach("row")
    rows.detach("row")
    rows.detach("row")
    rows.put("row", 4)
    assert.isUndefined(Ref.getUnsafe(cell), "nobody held it any more")
    assert.deepStrictEqual(rows.names, ["row"])
  }))
