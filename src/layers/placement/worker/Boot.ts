/**
 * The first lines of a thread, or a process: they load the user's own module, by its own URL, in whatever form it runs.
 *
 * They are evaluated, so no file of the library has to be found: not beside sources, not in a bundle. Whatever they load finds
 * the `Guest` that they put on the global object.
 *
 * @since 0.1.0
 */
import { guestKey } from "./Protocol.ts"

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
