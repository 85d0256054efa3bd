/**
 * A companion whose snapshot is a row of a shared table.
 *
 * @since 0.1.0
 */
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { AnswerBook } from "./AnswerBook.ts"
import type { Policy } from "./Companion.ts"
import { type Trouble, Volatile } from "./MemoryCompanion.ts"

/** The rows, by key: the engine's side of a table. */
export interface Rows {
  get(row: string): Snapshot<unknown> | undefined
  set(row: string, snapshot: Snapshot<unknown>): unknown
  delete(row: string): boolean
}

/** A companion that keeps every commit in a row of a shared table. */
export class InTable<in out S> extends Volatile<S> {
  protected previous: Snapshot<S> | undefined = undefined
  protected trouble: Trouble<S> | undefined = undefined
  protected answers: AnswerBook | undefined = undefined
  protected readonly policy: Policy | undefined
  private trusted: Snapshot<S> | undefined = undefined
  private readonly row: string
  private readonly rows: Rows

  constructor(key: string, row: string, rows: Rows, policy: Policy | undefined) {
    super(key)
    this.row = row
    this.rows = rows
    this.policy = policy
  }

  // A table is untyped, as ETS is: that its row holds an S is the promise of whoever else writes it.
  protected read(): Snapshot<S> | undefined {
    return this.rows.get(this.row) as Snapshot<S> | undefined
  }

  protected put(snapshot: Snapshot<S>): void {
    this.rows.set(this.row, snapshot)
  }

  // Whoever has the table may have put another row there since: it is the very snapshot, or none of ours.
  protected isNewest(snapshot: Snapshot<S>): boolean {
    return this.rows.get(this.row) === snapshot
  }

  protected get isTrusted(): boolean {
    return this.trusted !== undefined && this.isNewest(this.trusted)
  }

  protected set isTrusted(isTrusted: boolean) {
    this.trusted = isTrusted ? this.read() : undefined
  }

  protected forgetNewest(): void {
    this.rows.delete(this.row)
  }
}
