/**
 * A process made of nothing but its handle, ended and restarted by hand.
 */
import { type ExitReason, normal } from "../../src/domain/process/ExitReason.ts"
import { Process } from "../../src/index.ts"

export class FakeProcess implements Process.Process, Process.HasProcess {
  readonly [Process.processOf]: Process.Process = this
  readonly id: string
  readonly path: ReadonlyArray<string>
  readonly kind = "worker"
  incarnation = 1
  status: Process.Status = "running"
  lastExit: ExitReason | undefined = undefined
  exitObservers: ReadonlyArray<Process.ExitObserver> = []
  goneObservers: ReadonlyArray<Process.GoneObserver> = []

  returnObservers: ReadonlyArray<Process.ReturnObserver> = []

  constructor(id: string) {
    this.id = id
    this.path = ["app", id]
  }

  addExitObserver(observer: Process.ExitObserver): boolean {
    if (this.status !== "running") return false
    this.exitObservers = [...this.exitObservers, observer]
    return true
  }

  removeExitObserver(observer: Process.ExitObserver): void {
    this.exitObservers = this.exitObservers.filter((other) => other !== observer)
  }

  addGoneObserver(observer: Process.GoneObserver): boolean {
    if (this.status === "stopped") return false
    this.goneObservers = [...this.goneObservers, observer]
    return true
  }

  removeGoneObserver(observer: Process.GoneObserver): void {
    this.goneObservers = this.goneObservers.filter((other) => other !== observer)
  }

  addReturnObserver(observer: Process.ReturnObserver): boolean {
    if (this.status !== "stopped") return false
    this.returnObservers = [...this.returnObservers, observer]
    return true
  }

  exit(reason: ExitReason): void {
    this.crash(reason)
    this.gone(reason)
  }

  /** The incarnation ends; another will follow. */
  crash(reason: ExitReason): void {
    if (this.status !== "running") return
    this.status = "restarting"
    this.lastExit = reason
    const observers = this.exitObservers
    this.exitObservers = []
    for (const observer of observers) observer(this.incarnation, reason)
  }

  restart(): void {
    this.incarnation++
    this.status = "running"
  }

  /** Started again, after its end. */
  returns(): void {
    this.restart()
    const observers = this.returnObservers
    this.returnObservers = []
    for (const observer of observers) observer()
  }

  /** Down, before its observers are called. */
  stopSilently(): void {
    this.status = "stopped"
  }

  gone(reason: ExitReason = normal): void {
    this.status = "stopped"
    const observers = this.goneObservers
    this.goneObservers = []
    for (const observer of observers) observer(reason)
  }
}
