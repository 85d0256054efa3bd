/**
 * A thread or a process, as the one who started it sees it.
 *
 * @since 0.1.0
 */
import type { Place as Kind } from "../../../domain/placement/WorkerErrors.ts"
import type { Request, Response } from "./Protocol.ts"

/** What is heard of it. */
export interface Listener {
  readonly response: (response: Response) => void
  /** It is gone: the end of a sentence that begins with it, and the error that it died of. Called once. */
  readonly died: (how: string, cause?: unknown) => void
}

/** What can be seen of it from outside, however busy it is. */
export interface Sight {
  readonly utilisation: number
  readonly given: number | undefined
}

/** A thread or a process. */
export interface Place {
  readonly kind: Kind
  readonly post: (request: Request) => void
  /** What it has begun, where that is shared. */
  readonly marks: Int32Array | undefined
  /** What is seen of it since this was called before, so many milliseconds ago. */
  readonly look: (millis: number) => Sight
  /** Ends it, whatever it is doing; `done` is called when it is gone. */
  readonly end: (done: () => void) => void
}

/** How a place is made. */
export interface PlaceOptions {
  readonly resourceLimits: ResourceLimits | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
  readonly env: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * What a thread, or a process, may use, in megabytes.
 *
 * @category options
 * @since 0.1.0
 */
export interface ResourceLimits {
  /** The heap. Buffers are outside it, and are not bounded. */
  readonly maxOldGenerationSizeMb?: number | undefined
  /** The part of the heap for objects that were made a moment ago. */
  readonly maxYoungGenerationSizeMb?: number | undefined
  /** The stack; of a thread alone. */
  readonly stackSizeMb?: number | undefined
}
