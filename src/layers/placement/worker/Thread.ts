/**
 * A thread of Node as a place.
 *
 * @since 0.1.0
 */
import { type ResourceLimits as NodeLimits, Worker } from "node:worker_threads"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import { threadBoot } from "./Boot.ts"
import type { Listener, Place, PlaceOptions, ResourceLimits } from "./Place.ts"
import { type Response, slots } from "./Protocol.ts"

/** Starts a thread. */
export const start = ({ env, execArgv, resourceLimits }: PlaceOptions, listener: Listener): Place => {
  const marks = new Int32Array(new SharedArrayBuffer(4 * (slots + 1)))
  const worker = new Worker(threadBoot, {
    eval: true,
    name: "heirloom",
    workerData: { marks },
    ...(resourceLimits === undefined ? {} : { resourceLimits: limitsOf(resourceLimits) }),
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    ...(env === undefined ? {} : { env })
  })
  let isGone = false
  const died = (how: string, cause?: unknown): void => {
    if (isGone) return
    isGone = true
    listener.died(how, cause)
  }
  worker.on("message", (response: Response) => listener.response(response))
  worker.on("messageerror", (error) => died(`said what cannot be read: ${messageOf(error)}`, error))
  worker.on("error", (error) => died(causeText(error), error))
  worker.on("exit", (code) => died(`exited with code ${code}`))

  let before = worker.performance.eventLoopUtilization()
  let used = 0
  let known: number | undefined
  let isAsking = false
  const askUsage = (): void => {
    // Later versions of Node answer this however busy the thread is.
    if (isAsking || isGone || typeof worker.cpuUsage !== "function") return
    isAsking = true
    worker.cpuUsage().then(({ system, user }) => {
      known = (user + system) / 1000
      isAsking = false
    }, () => {
      isAsking = false
    })
  }
  return {
    kind: "thread",
    marks,
    post: (request) => worker.postMessage(request, []),
    look: () => {
      const now = worker.performance.eventLoopUtilization()
      const { utilization } = worker.performance.eventLoopUtilization(now, before)
      before = now
      const computed = known === undefined ? undefined : known - used
      used = known ?? used
      known = undefined
      askUsage()
      return { utilisation: utilization, computed }
    },
    end: (done) => void worker.terminate().then(done, done)
  }
}

const causeText = (error: unknown): string => {
  const code = typeof error === "object" && error !== null ? Reflect.get(error, "code") : undefined
  return code === "ERR_WORKER_OUT_OF_MEMORY"
    ? `ran out of memory (${code}: ${messageOf(error)})`
    : `died of an error outside a handler: ${messageOf(error)}`
}

const limitsOf = (limits: ResourceLimits): NodeLimits => {
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb } = limits
  return {
    ...(maxOldGenerationSizeMb === undefined ? {} : { maxOldGenerationSizeMb }),
    ...(maxYoungGenerationSizeMb === undefined ? {} : { maxYoungGenerationSizeMb }),
    ...(stackSizeMb === undefined ? {} : { stackSizeMb })
  }
}
