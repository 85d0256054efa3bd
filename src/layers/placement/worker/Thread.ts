/**
 * A thread of Node as a place.
 *
 * @since 0.1.0
 */
import { type ResourceLimits as NodeLimits, Worker } from "node:worker_threads"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import { type Listener, type Place, type PlaceOptions, type ResourceLimits, threadBoot } from "./Place.ts"
import { isResponse, slots } from "./Protocol.ts"
import { type Counted, countedOf, givenIn } from "./Waits.ts"

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
  let task: number | undefined
  let counted: Counted | undefined
  worker.on("message", (response: unknown) => {
    if (!isResponse(response)) return
    if (response.is !== "up") return listener.response(response)
    task = response.task
    counted = countedOf("self", task)
  })
  worker.on("messageerror", (error) => listener.died(`said what cannot be read: ${messageOf(error)}`, error))
  worker.on("error", (error) => listener.died(causeText(error), error))
  worker.on("exit", (code) => listener.died(`exited with code ${code}`))

  let before = worker.performance.eventLoopUtilization()
  const usage = usageOf(worker)
  return {
    kind: "thread",
    marks,
    post: (request) => worker.postMessage(request, []),
    look: (millis) => {
      const now = worker.performance.eventLoopUtilization()
      const { utilization } = worker.performance.eventLoopUtilization(now, before)
      before = now
      const answered = usage()
      if (task === undefined || counted === undefined) return { utilisation: utilization, given: answered }
      const countedNow = countedOf("self", task)
      const given = givenIn(millis, counted, countedNow)
      counted = countedNow
      return { utilisation: utilization, given: given ?? answered }
    },
    end: (done) => void worker.terminate().then(done, done)
  }
}

/**
 * How many milliseconds a thread says that it has computed since this was last known. Later versions of Node ask it
 * however busy it is.
 */
const usageOf = (worker: Worker): () => number | undefined => {
  let total = 0
  let latest: number | undefined
  let isAsking = typeof worker.cpuUsage !== "function"
  return () => {
    const computed = latest === undefined ? undefined : latest - total
    total = latest ?? total
    latest = undefined
    if (isAsking) return computed
    isAsking = true
    const answered = (): void => {
      isAsking = false
    }
    worker.cpuUsage().then(({ system, user }) => {
      latest = (user + system) / 1000
      answered()
    }, answered)
    return computed
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
