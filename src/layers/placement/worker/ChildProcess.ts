/**
 * A process of Node as a place.
 *
 * @since 0.1.0
 */
import { spawn } from "node:child_process"
import process from "node:process"
import { plainError } from "../../../domain/text/ForeignCause.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import { type Listener, type Place, type PlaceOptions, processBoot, type ResourceLimits } from "./Place.ts"
import { isResponse, type Request } from "./Protocol.ts"
import { countedOf, givenIn } from "./Waits.ts"

/** Starts a process, which has the same Node and its options. */
export const start = ({ env, execArgv, resourceLimits }: PlaceOptions, listener: Listener): Place => {
  const options = [...execArgv ?? inherited(process.execArgv), ...limitsOf(resourceLimits)]
  const child = spawn(process.execPath, [...options, "--eval", processBoot], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
    ...(env === undefined ? {} : { env: { ...env } })
  })
  let isGone = false
  let ended: (() => void) | undefined
  let error: Error | undefined
  let hasAnswered = true
  // The thread that runs its JavaScript has its number.
  const countedNow = () => child.pid === undefined ? undefined : countedOf(child.pid, child.pid)
  let counted = countedNow()
  const died = (how: string, cause?: unknown): void => {
    if (isGone) return
    isGone = true
    listener.died(how, cause)
    ended?.()
  }
  child.on("message", (said: unknown) => {
    if (!isResponse(said)) return
    if (said.is === "pong") hasAnswered = true
    else if (said.is === "dying") error = plainError(said.error)
    else listener.response(said)
  })
  child.on("error", (error) => {
    if (child.pid === undefined) died(`did not start: ${messageOf(error)}`, error)
  })
  // Not `exit`: what it has said before its end is heard before this.
  child.on("close", (code, signal) => {
    if (error !== undefined) died(`died of an error outside a handler: ${messageOf(error)}`, error)
    else died(signal === null ? `exited with code ${code}` : `was ended by ${signal}`)
  })
  const post = (request: Request): void => {
    // One that is gone is heard of by its end.
    if (child.connected) child.send(request, noDeed)
  }
  return {
    kind: "process",
    marks: undefined,
    post,
    look: (millis) => {
      const utilisation = hasAnswered ? 0 : 1
      hasAnswered = false
      post({ to: "ping" })
      const now = countedNow()
      const given = givenIn(millis, counted, now)
      counted = now
      return { utilisation, given }
    },
    end: (done) => {
      if (isGone) return done()
      ended = done
      child.kill("SIGKILL")
    }
  }
}

const noDeed = () => {}

const onlyOurs = /^--(eval|print|input-type|inspect|test|watch)/

/** The options of this process, without those that say what to run, and without a debugger's port. */
const inherited = (given: ReadonlyArray<string>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (let i = 0; i < given.length; i++) {
    const option = given[i]!
    if (/^(-e|-p|-pe|--eval|--print)$/.test(option)) i++
    else if (!onlyOurs.test(option)) kept.push(option)
  }
  return kept
}

const limitsOf = (limits: ResourceLimits | undefined): ReadonlyArray<string> => [
  ...(limits?.maxOldGenerationSizeMb === undefined ? [] : [`--max-old-space-size=${limits.maxOldGenerationSizeMb}`]),
  ...(limits?.maxYoungGenerationSizeMb === undefined
    ? []
    // The young generation is three of these.
    : [`--max-semi-space-size=${Math.max(1, Math.floor(limits.maxYoungGenerationSizeMb / 3))}`])
]
