/**
 * How processes, and references to them, look in logs, in a console and as JSON: by their address and how they are.
 *
 * A reference reaches the whole engine and the state in it. Without this, logging one would show what a crash report
 * takes care not to, and turning one into JSON would run in a circle.
 *
 * @since 0.1.0
 */
import { Formatter, Inspectable, Pipeable } from "effect"
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

const inspect = ({ incarnation, kind, path, status }: Process): Inspected => ({
  _id: "heirloom/Process",
  path: pathText(path),
  kind,
  status,
  incarnation
})

const looks: PropertyDescriptorMap & ThisType<HasProcess> = {
  [isAlive]: { value: true },
  toJSON: {
    value(): unknown {
      return inspect(this[processOf])
    }
  },
  toString: {
    value(): string {
      return Formatter.format(inspect(this[processOf]))
    }
  },
  [Inspectable.NodeInspectSymbol]: {
    value(): unknown {
      return inspect(this[processOf])
    }
  },
  pipe: {
    value(): unknown {
      return Pipeable.pipeArguments(this, arguments)
    }
  }
}

/**
 * Has the instances of a class shown so, and makes them pipeable: call it in a `static` block of a class of processes,
 * or of references. It is no base class, since such a class often has another base.
 */
export const inspected = (clazz: { readonly prototype: HasProcess }): void => {
  Object.defineProperties(clazz.prototype, looks)
}

/** A process that is shown so, and stands for itself. */
export abstract class InspectedProcess
  implements Pick<Process, "path" | "kind" | "status" | "incarnation">, HasProcess
{
  abstract readonly path: ReadonlyArray<string>
  abstract readonly kind: Process["kind"]
  abstract readonly status: Process["status"]
  abstract readonly incarnation: number
  abstract get [processOf](): Process

  static {
    inspected(this)
  }
}

/** A reference that is shown as the process it stands for. */
export abstract class InspectedReference implements HasProcess, Pipeable.Pipeable {
  abstract readonly [processOf]: Process
  declare readonly pipe: Pipeable.Pipeable["pipe"]

  static {
    inspected(this)
  }
}
