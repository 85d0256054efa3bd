/**
 * What programs hold of a partition supervisor: routing, and the number of partitions.
 *
 * *Tricky*: (1) the references of partitions never change, not by a restart and not by a resize, so routing is a look
 * into an array and a reference may be kept. (2) A key must not be routed to a partition on its way down or up: going
 * down the number goes first, going up it follows each start. (3) Two resizes at a time would undo each other: they
 * queue. One that is interrupted half way leaves partitions that the next one finds. (4) When the supervisor itself is
 * restarted all its children come back, so the number is that of the beginning again: it belongs to an incarnation.
 *
 * @since 0.1.0
 */
import { Effect, Exit, Hash, type Pipeable, Semaphore, type Stream } from "effect"
import * as Partition from "../../../domain/naming/Partition.ts"
import { type Lifecycle, pathText } from "../../../domain/observation/Lifecycle.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { shown } from "../../../domain/text/ForeignText.ts"
import { type Via, via } from "../../naming/Via.ts"
import { InspectedReference } from "../../process/Inspection.ts"
import { type HasProcess, hasProcess, type Process, processOf } from "../../process/Process.ts"
import type { ChildError, StartError } from "../tree/SupervisorErrors.ts"
import type { ChildCounts, ChildInfo, Supervisor } from "../tree/SupervisorHandle.ts"
import { PartitionError, type PartitionErrorReason } from "./PartitionError.ts"

/**
 * A partition supervisor in the hands of a program.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionSupervisor<Ref extends HasProcess> extends HasProcess, Pipeable.Pipeable {
  readonly path: ReadonlyArray<string>
  /** How many partitions there are now (Elixir: `PartitionSupervisor.partitions/1`). */
  readonly partitions: Effect.Effect<number, PartitionError>
  /**
   * The partition of a key (Elixir: `{:via, PartitionSupervisor, {name, key}}`).
   *
   * **Details**
   *
   * Any value is a key. Equal keys, as effect's `Equal` has it, have the same partition as long as the number of
   * partitions stays the same; an integer from 0 on names its partition, a reference to a process goes by that
   * process's path, the others go by their hash.
   *
   * **Gotchas**
   *
   * A function, or an object that compares by reference, hashes to a random number that lasts as long as the object.
   */
  route(key: unknown): Effect.Effect<Ref, PartitionError>
  /** A partition by its number. */
  at(partition: number): Effect.Effect<Ref, PartitionError>
  /**
   * A client of whichever partition a key belongs to at the time of each call; its calls fail with `NotRunning` when
   * there is none.
   */
  via(key: unknown): Via<Ref>
  /**
   * Changes the number of partitions, down to 0 and up again to that of the beginning (Elixir:
   * `PartitionSupervisor.resize!/2`).
   *
   * **Details**
   *
   * Answers how many there were. Completes when the partitions that go have ended, or those that come are up. A
   * partition that goes keeps its place: `whichChildren` lists it as stopped, `countChildren` counts its spec.
   *
   * **Gotchas**
   *
   * Most keys belong to another partition afterwards; nothing that a partition holds moves along.
   */
  resize(partitions: number): Effect.Effect<number, PartitionError>
  /** One entry per partition, by number, stopped ones included (Elixir: `PartitionSupervisor.which_children/1`). */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, PartitionError>
  /** How many there are (Elixir: `PartitionSupervisor.count_children/1`). */
  readonly countChildren: Effect.Effect<ChildCounts, PartitionError>
  /** What happens to it and everything below it, from the moment the stream is run. */
  readonly events: Stream.Stream<Lifecycle>
  /**
   * Stops it and its partitions, and waits until they are gone, names included (Elixir: `PartitionSupervisor.stop/3`).
   */
  stop(reason?: ExitReason): Effect.Effect<void>
}

/** A process is the same behind every reference, and its inside is nothing to hash. */
const hashOf = (key: unknown): number => Hash.hash(hasProcess(key) ? pathText(key[processOf].path) : key)

/** The handle of a supervisor whose children, in order, are `refs`. */
export class TreeHandle<Ref extends HasProcess> extends InspectedReference implements PartitionSupervisor<Ref> {
  readonly path: ReadonlyArray<string>
  readonly partitions: Effect.Effect<number, PartitionError>
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, PartitionError>
  readonly countChildren: Effect.Effect<ChildCounts, PartitionError>
  readonly events: Stream.Stream<Lifecycle>
  readonly [processOf]: Process
  private readonly tree: Supervisor
  private readonly refs: ReadonlyArray<Ref>
  private readonly resizing = Semaphore.makeUnsafe(1)
  /** How many there are, and in which incarnation of the supervisor. */
  private current = { incarnation: 0, size: 0 }

  constructor(tree: Supervisor, refs: ReadonlyArray<Ref>) {
    super()
    this.tree = tree
    this.refs = refs
    this.path = tree.path
    this[processOf] = tree[processOf]
    this.events = tree.events
    this.partitions = this.whileUp(Effect.sync(() => this.size))
    this.countChildren = this.whileUp(tree.countChildren)
    this.whichChildren = this.whileUp(
      Effect.map(tree.whichChildren, (children) => [...children].sort((a, b) => Number(a.id) - Number(b.id)))
    )
  }

  readonly route = (key: unknown): Effect.Effect<Ref, PartitionError> =>
    this.whileUp(Effect.suspend(() => {
      const ref = this.refOf(key)
      return ref === undefined ? this.fail({ _tag: "NoPartitions" }) : Effect.succeed(ref)
    }))

  readonly at = (partition: number): Effect.Effect<Ref, PartitionError> =>
    this.whileUp(Effect.suspend(() => {
      const { size } = this
      const ref = partition < size ? this.refs[partition] : undefined
      return ref === undefined
        ? this.fail({ _tag: "UnknownPartition", partition, partitions: size })
        : Effect.succeed(ref)
    }))

  readonly via = (key: unknown): Via<Ref> =>
    via(pathText(this.path), shown(key), () => this.isUp ? this.refOf(key) : undefined)

  readonly resize = (partitions: number): Effect.Effect<number, PartitionError> =>
    this.resizing.withPermit(this.whileUp(Effect.suspend(() => this.change(partitions))))

  readonly stop = (reason?: ExitReason): Effect.Effect<void> => this.tree.stop(reason)

  private change(to: number): Effect.Effect<number, PartitionError> {
    const initial = this.refs.length
    const problem = Partition.resizeProblem(to, initial)
    if (problem !== undefined) return this.fail({ _tag: "InvalidSize", problem })
    const { size } = this
    // What becomes of an incarnation that ends meanwhile says nothing of the next.
    const { current } = this
    const { start, stop } = Partition.resize(size, to, initial)
    if (to < size) current.size = to
    const down = Effect.forEach(stop, (partition) => this.tree.terminateChild(String(partition)), { discard: true })
    const up = Effect.forEach(
      start,
      (partition) => Effect.map(this.begin(partition), () => current.size = partition + 1),
      { discard: true }
    )
    return Effect.mapError(down, (error) => this.errorOf(error, to)).pipe(Effect.andThen(up), Effect.as(size))
  }

  private begin(partition: number): Effect.Effect<unknown, PartitionError> {
    return Effect.catch(this.tree.restartChild(String(partition)), (error) =>
      // An earlier resize was interrupted while it started this very one.
      error.reason._tag === "Running" || error.reason._tag === "Restarting"
        ? Effect.void
        : Effect.fail(this.errorOf(error, partition)))
  }

  private errorOf(error: ChildError | StartError, partition: number): PartitionError {
    return this.error(
      error.reason._tag === "Failed"
        ? { _tag: "NotStarted", partition, cause: error.reason.cause }
        : { _tag: "NotRunning" }
    )
  }

  private get size(): number {
    const { incarnation } = this[processOf]
    if (this.current.incarnation !== incarnation) this.current = { incarnation, size: this.refs.length }
    return this.current.size
  }

  private refOf(key: unknown): Ref | undefined {
    const { size } = this
    return size === 0 ? undefined : this.refs[Partition.indexOf(key, size, hashOf)]
  }

  private get isUp(): boolean {
    return this[processOf].status !== "stopped"
  }

  private whileUp<A>(effect: Effect.Effect<A, PartitionError>): Effect.Effect<A, PartitionError> {
    return Effect.suspend(() => this.isUp ? effect : this.fail({ _tag: "NotRunning" }))
  }

  private error(reason: PartitionErrorReason): PartitionError {
    return new PartitionError({ supervisor: pathText(this.path), reason })
  }

  private fail(reason: PartitionErrorReason): Effect.Effect<never, PartitionError> {
    return Exit.fail(this.error(reason))
  }
}
