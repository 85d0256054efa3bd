/**
 * The turns of the writes of one client, as its owner's row in PostgreSQL counts them; and what the owners' rows say of
 * writes.
 *
 * A write that may still arrive has a number that is over once another was made. And a database whose count is lower
 * than that of a write it has acknowledged has gone back in time.
 *
 * @since 0.1.0
 */

import { Effect } from "effect"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { fenced, fencedOff, type Refusal } from "../../../domain/state/stored/Ownership.ts"
import { isWhole } from "../rows/SqlRows.ts"
import type { Bound, Statements } from "../rows/SqlStatements.ts"

/** Epochs that are remembered: there may be one for each of a million keys. Of one that is not, less is noticed. */
const maxEpochs = 100_000

/** The turns of the writes of one client. */
export class Turns {
  private last = 0
  private readonly stored = new Map<number, number>()

  /** The number of the last write that was begun. */
  get begun(): number {
    return this.last
  }

  /** The number of the next write. */
  next(): number {
    return ++this.last
  }

  /** The last write under an epoch that is known to be stored; 0: none. */
  before(epoch: number): number {
    return this.stored.get(epoch) ?? 0
  }

  /** The last one that was begun is stored, under these epochs. */
  done(epochs: Iterable<number>): void {
    for (const epoch of epochs) this.stored.set(epoch, this.last)
    if (this.stored.size <= maxEpochs) return
    for (const first of this.stored.keys()) {
      this.stored.delete(first)
      if (this.stored.size <= maxEpochs) return
    }
  }
}

interface Row {
  readonly [column: string]: unknown
}

/** A write, or a question without one. */
interface Write {
  readonly epoch: number
  readonly key?: string
}

/**
 * Why writes were refused, or would be, all of them; `undefined` when all their epochs are in force. An epoch of no
 * owner here is that of its key.
 */
export const staleIn = <E>(
  sql: Statements,
  run: (statement: Bound) => Effect.Effect<ReadonlyArray<Row>, E>,
  turns: Turns,
  owners: ReadonlyMap<number, string>
) =>
  Effect.fnUntraced(function*(writes: ReadonlyArray<Write>) {
    const path = `table ${sql.names.owners}`
    const older = { _tag: "Gone", path, how: "older" } as const
    const ownerOf = ({ epoch, key }: Write) => owners.get(epoch) ?? key
    const named = new Set(writes.map(ownerOf).filter((owner) => owner !== undefined).map(KeyText.encode))
    const found = new Map(
      (yield* run(sql.epochsOf([...named]))).map((row) => [KeyText.decode(String(row["owner"])), row])
    )
    let newest: number | undefined
    const refused: Array<Refusal> = []
    const inForce: Array<Required<Write>> = []
    for (const write of writes) {
      const { epoch, key } = write
      const owner = ownerOf(write)
      const row = owner === undefined ? undefined : found.get(owner)
      if (row === undefined) newest ??= Number((yield* run(sql.newestEpoch()))[0]?.["epoch"] ?? 0)
      const current = row === undefined ? newest! : Number(row["epoch"])
      // Epochs only grow.
      if ((row !== undefined || owners.has(epoch)) && current < epoch) return older
      if (row === undefined || current !== epoch) refused.push(fencedOff(epoch, current, owner, key))
      else if (Number(row["commits"]) < turns.before(epoch)) return older
      // Only this client counts under the epoch.
      else if (Number(row["commits"]) > turns.begun) return { _tag: "Gone", path, how: "changed" } as const
      else if (key !== undefined) inForce.push({ epoch, key })
    }
    if (inForce.length === 0) return fenced(refused)
    const epochs = new Map(inForce.map(({ epoch, key }) => [KeyText.encode(key), epoch]))
    const least = inForce.reduce((least, { epoch }) => Math.min(least, epoch), Infinity)
    for (const row of yield* run(sql.younger([...epochs.keys()], least))) {
      const epoch = epochs.get(String(row["key"]))!
      const current = Number(row["epoch"])
      if (current > epoch && isWhole(row)) refused.push({ key: KeyText.decode(String(row["key"])), epoch, current })
    }
    return fenced(refused)
  })
