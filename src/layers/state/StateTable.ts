/**
 * One table that many servers, and any other code, keep their states in: the ETS way.
 *
 * A table is simple, and it is a shared resource: all that have it may read and write every row. That is its use, and
 * its danger. When two writers each `get` a row, do something that yields, and `put` what they computed, the update of
 * the first is lost; `update` is atomic and does not lose it. A companion (`StateContainer.layerMemory`) cannot be
 * raced, because only its server writes it: you most likely want that.
 *
 * As an ETS table needs an owner that outlives its users, or an heir, a `StateTable` is built above the supervisor
 * whose servers use it: provide {@link layer} to the supervisor's layer, not among its children.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Option } from "effect"
import { TableRows, withRows } from "./companion/TableRows.ts"

/**
 * A table of states (OTP: an `ets` set).
 *
 * @category services
 * @since 0.1.0
 */
export class StateTable extends Context.Service<StateTable, {
  /** The value of a row. Untyped, as in ETS: its reader knows what is there. */
  readonly get: (row: string) => Effect.Effect<Option.Option<unknown>>
  /** Replaces a row, whatever it holds by now. */
  readonly put: (row: string, value: unknown) => Effect.Effect<void>
  /** Reads and replaces a row in one step. */
  readonly update: (row: string, f: (value: Option.Option<unknown>) => unknown) => Effect.Effect<void>
  /** Removes a row. */
  readonly remove: (row: string) => Effect.Effect<void>
  /** The keys of all rows. */
  readonly rows: Effect.Effect<ReadonlyArray<string>>
}>()("heirloom/StateTable") {
  /** A fresh, empty table that lives as long as the layer. */
  static readonly layer: Layer.Layer<StateTable> = Layer.sync(StateTable, () => {
    const rows = new TableRows()
    const value = (row: string) => Option.map(Option.fromUndefinedOr(rows.get(row)), ({ state }) => state)
    return StateTable.of(withRows({
      get: (row) => Effect.sync(() => value(row)),
      put: (row, state) => Effect.sync(() => rows.put(row, state)),
      update: (row, f) => Effect.sync(() => rows.put(row, f(value(row)))),
      remove: (row) => Effect.sync(() => rows.remove(row)),
      rows: Effect.sync(() => rows.names)
    }, rows))
  })
}
