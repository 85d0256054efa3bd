/**
 * The observers of one process: of the end of its incarnation, of its own end, and of its return.
 *
 * Most processes are never observed, so a process makes this on first use. An observer is called once; it may add and
 * remove others meanwhile. One that throws changes nothing for the others, nor for the process.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../domain/process/ExitReason.ts"
import * as OneOrMany from "./OneOrMany.ts"
import type { ExitObserver, GoneObserver, ReturnObserver } from "./Process.ts"

/** Hears of an observer that has thrown; the others are called all the same. */
export type Failed = (defect: unknown) => void

const guarded = (observe: () => void, failed: Failed): void => {
  try {
    observe()
  } catch (defect) {
    failed(defect)
  }
}

/** The observers of one process. */
export class Observers {
  private exits: OneOrMany.OneOrMany<ExitObserver> = undefined
  private gones: OneOrMany.OneOrMany<GoneObserver> = undefined
  private returns: OneOrMany.OneOrMany<ReturnObserver> = undefined

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.exits === undefined && this.gones === undefined && this.returns === undefined
  }

  /** Whether the end of the process itself is observed: by a registry, or a group. */
  get hasGone(): boolean {
    return this.gones !== undefined
  }

  addExit(observer: ExitObserver): void {
    this.exits = OneOrMany.add(this.exits, observer)
  }

  removeExit(observer: ExitObserver): void {
    this.exits = OneOrMany.remove(this.exits, observer)
  }

  addGone(observer: GoneObserver): void {
    this.gones = OneOrMany.add(this.gones, observer)
  }

  removeGone(observer: GoneObserver): void {
    this.gones = OneOrMany.remove(this.gones, observer)
  }

  addReturn(observer: ReturnObserver): void {
    this.returns = OneOrMany.add(this.returns, observer)
  }

  /** The incarnation has ended. */
  exited(incarnation: number, reason: ExitReason, failed: Failed): void {
    const observers = this.exits
    this.exits = undefined
    OneOrMany.forEach(observers, (observer) => guarded(() => observer(incarnation, reason), failed))
  }

  /** The process is down, and nothing is about to start it again. */
  gone(reason: ExitReason, failed: Failed): void {
    const observers = this.gones
    this.gones = undefined
    OneOrMany.forEach(observers, (observer) => guarded(() => observer(reason), failed))
  }

  /** The process, which was down, is started again. */
  returned(failed: Failed): void {
    const observers = this.returns
    if (observers === undefined) return
    this.returns = undefined
    OneOrMany.forEach(observers, (observer) => guarded(observer, failed))
  }
}
