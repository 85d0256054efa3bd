/**
 * The rows of a shared table: by name, a `Ref` of the snapshots that companions and others write.
 *
 * *Tricky*: a companion holds the `Ref` of its row. So a row stays where it is while a companion is attached to it,
 * whether it holds a value or not, and is dropped when it holds none and no companion is attached.
 *
 * @since 0.1.0
 */
import { MutableRef, Ref } from "effect"
import * as Generations from "../../../domain/state/Generations.ts"
import { type Cell, empty, nextSeq } from "./RefCompanion.ts"

interface Row {
  readonly cell: Cell<unknown>
  /** Companions that hold it. */
  attached: number
}

const rows: unique symbol = Symbol.for("heirloom/StateTable/rows")

/** A table that has rows. */
interface WithRows {
  readonly [rows]: TableRows
}

/** The same table with its rows, which companions find with {@link rowsOf} and users do not see. */
export const withRows = <Table extends object>(table: Table, its: TableRows): Table & WithRows =>
  Object.assign(table, { [rows]: its })

/** The rows of a table; `undefined` of one that `StateTable.layer` did not make. */
export const rowsOf = (table: object): TableRows | undefined => rows in table ? (table as WithRows)[rows] : undefined

/** The rows of a table. */
export class TableRows {
  private readonly rows = new Map<string, Row>()

  /** The newest snapshot in a row. */
  get(row: string): Generations.Generations<unknown> {
    const found = this.rows.get(row)
    return found && Ref.getUnsafe(found.cell)
  }

  /** The names of the rows that hold a value. */
  get names(): ReadonlyArray<string> {
    return Array.from(this.rows).flatMap(([name, { cell }]) => Ref.getUnsafe(cell) === undefined ? [] : [name])
  }

  /** Replaces a row from outside, whatever it holds by now. */
  put(row: string, state: unknown): void {
    const { cell } = this.open(row)
    const before = Ref.getUnsafe(cell)
    const snapshot = { state, seq: nextSeq(cell), incarnation: before?.incarnation ?? 0 }
    MutableRef.set(cell.ref, Generations.commit(before, snapshot, "person"))
  }

  /** Empties a row. */
  remove(row: string): void {
    const found = this.rows.get(row)
    if (found === undefined) return
    empty(found.cell)
    this.tidy(row, found)
  }

  /** The `Ref` of a row, for a companion. */
  attach(row: string): Cell<unknown> {
    const found = this.open(row)
    found.attached++
    return found.cell
  }

  /** A companion has let go of a row. */
  detach(row: string): void {
    const found = this.rows.get(row)
    if (found === undefined) return
    found.attached--
    this.tidy(row, found)
  }

  private open(row: string): Row {
    const found = this.rows.get(row)
    if (found !== undefined) return found
    const made: Row = { cell: Ref.makeUnsafe<Generations.Generations<unknown>>(undefined), attached: 0 }
    this.rows.set(row, made)
    return made
  }

  private tidy(row: string, { attached, cell }: Row): void {
    if (attached === 0 && Ref.getUnsafe(cell) === undefined) this.rows.delete(row)
  }
}
