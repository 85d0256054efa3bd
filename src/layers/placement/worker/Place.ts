/**
 * A thread or a process, as the one who started it sees it; and its first lines, which load the user's own module, by
 * its own URL, in whatever form it runs.
 *
 * Those are evaluated, so no file of the library has to be found: not beside sources, not in a bundle. Whatever they
 * load finds the `Guest` that they put on the global object.
 *
 * @since 0.1.0
 */
import type { Place as Kind } from "../../../domain/placement/WorkerErrors.ts"
import { guestKey, type Request, type Response } from "./Protocol.ts"

/** What is heard of it. */
export interface Listener {
  readonly response: (response: Response) => void
  /** It is gone: the end of a sentence that begins with it, and the error that it died of. The first of it counts. */
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

const common = `
const fields = (e) => e instanceof Error
  ? { name: e.name, message: e.message, frames: String(e.stack).slice(Math.max(0, String(e.stack).indexOf("\\n    at "))) }
  : { name: "Error", message: String(e) }
const hear = (message) => {
  if (message.to === "ping") guest.post({ is: "pong" })
  else if (message.to === "load") import(message.url).then(
    () => guest.post({ is: "done", id: message.id }),
    (error) => guest.post({ is: "done", id: message.id, error: fields(error) })
  )
  else if (guest.receive !== undefined) guest.receive(message)
  else if (message.id !== undefined) guest.post({ is: "done", id: message.id, error: message.to === "end" ? undefined :
    { name: "NoEntry", message: "its module has no WorkerServer.entry at its top level" } })
}
`

/** Those of a thread. */
export const threadBoot = `
const { parentPort, workerData } = require("node:worker_threads")
const guest = { place: "thread", post: (m) => parentPort.postMessage(m), marks: workerData.marks, receive: undefined, served: new Map() }
globalThis[Symbol.for("${guestKey}")] = guest
${common}
parentPort.on("message", hear)
if (process.platform === "linux") try {
  guest.post({ is: "up", task: Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1)) })
} catch {}
`

/** Those of a process: it ends with its parent, and not before it when both are interrupted from a keyboard. */
export const processBoot = `
const guest = { place: "process", post: (m) => { if (process.connected) process.send(m) }, marks: undefined, receive: undefined, served: new Map() }
globalThis[Symbol.for("${guestKey}")] = guest
${common}
process.on("uncaughtExceptionMonitor", (error) => guest.post({ is: "dying", error: fields(error) }))
process.on("disconnect", () => process.exit())
process.on("SIGINT", () => {})
process.on("message", hear)
`
