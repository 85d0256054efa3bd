/**
 * How processes, and references to them, look in logs, in a console and as JSON: by their address and how they are.
 *
 * A reference reaches the whole engine and the state in it. Without this, logging one would show what a crash report takes
 * care not to, and turning one into JSON would run in a circle.
 *
 * @since 0.1.0
 */
import { Formatter, Inspectable } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { isAlive } from "../../domain/process/Living.ts"
import { type HasProcess, type Process, processOf } from "./Process.ts"

/** What is shown of a process. */
export interface Inspected {
  readonly _id: "heirloom/Process"
  readonly path: string
  readonly kind: Process["kind"]
  readonly status: Process["status"]
  readonly incarnation: number
}

const inspect = ({ incarnation, kind, path, status }: Inspection): Inspected => ({
  _id: "heirloom/Process",
  path: pathText(path),
  kind,
  status,
  incarnation
})

type Inspection = Pick<Process, "path" | "kind" | "status" | "incarnation">

/** A process that is shown so, and stands for itself. */
export abstract class InspectedProcess implements Inspection, HasProcess {
  abstract readonly path: ReadonlyArray<string>
  abstract readonly kind: Process["kind"]
  abstract readonly status: Process["status"]
  abstract readonly incarnation: number
  abstract get [processOf](): Process
  get [isAlive](): true {
    return true
  }
  toJSON(): unknown {
    return inspect(this)
  }
  toString(): string {
    return Formatter.format(inspect(this))
  }
  [Inspectable.NodeInspectSymbol](): unknown {
    return inspect(this)
  }
}

/** A reference that is shown as the process it stands for. */
export abstract class InspectedReference implements HasProcess {
  abstract readonly [processOf]: Process
  get [isAlive](): true {
    return true
  }
  toJSON(): unknown {
    return inspect(this[processOf])
  }
  toString(): string {
    return Formatter.format(inspect(this[processOf]))
  }
  [Inspectable.NodeInspectSymbol](): unknown {
    return inspect(this[processOf])
  }
}
