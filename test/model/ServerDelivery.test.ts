/**
 * The engine against the rules of `domain/server/Delivery`: whatever a program does to a server, each time its
 * supervisor has decided what becomes of it, all its messages are dealt with as the rules say.
 *
 * The decision is watched from outside, where the supervisor hands it down (`settle`): what the server has is written
 * down before, and compared with what has become of it after.
 *
 * `MODEL_RUNS=1000` does more of them; a failing program is printed with the seed that repeats it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CallError, type CallErrorReason } from "../../src/domain/process/CallError.ts"
import { type ExitReason, killed } from "../../src/domain/process/ExitReason.ts"
import type { Fate } from "../../src/domain/process/Fate.ts"
import * as Delivery from "../../src/domain/server/Delivery.ts"
import { isDown } from "../../src/domain/server/Phase.ts"
import type { ServerProcess } from "../../src/layers/server/engine/ServerProcess.ts"
import type { Envelope } from "../../src/layers/server/message/Envelope.ts"
import { AnyProgram, program, run } from "../kit/AnyProgram.ts"

const textOf = (reason: CallErrorReason): string => {
  switch (reason._tag) {
    case "Crashed":
      return `refused: crashed${reason.willRestart ? ", restarting" : ""}`
    case "NotRunning":
      return `refused: not running${reason.reason === undefined ? "" : `, ${reason.reason._tag}`}`
    default:
      return `refused: ${reason._tag}`
  }
}

/** What has become of a message. */
const outcome = (server: ServerProcess, { exit, held, payload, place, type }: Envelope): string => {
  if (Array.from(server.quarantined).some((one) => one.payload === payload)) return "quarantined"
  if (place !== "nowhere") return "waits"
  const given = exit ?? held
  if (given === undefined) return type.isCall ? "nothing" : "dropped"
  const error = given._tag === "Success" ? undefined : given.cause.reasons.find((one) => one._tag === "Fail")?.error
  return error instanceof CallError ? textOf(error.reason) : "replied"
}

/** What the rules say of the message in hand. */
const ruleInHand = (server: ServerProcess, message: Envelope, fate: Fate, reason: ExitReason): string => {
  const { attempts, gone, stopped, type, work } = message
  const progress = stopped === undefined ? "interrupted" : stopped.reply === undefined ? "stopped" : "replied"
  const policy = work === undefined ? type.message.redeliver : undefined
  switch (Delivery.inHand(progress, fate, policy, attempts)) {
    case "reply":
      return "replied"
    case "quarantine":
      return "quarantined"
    case "redeliver":
      return gone ? type.isCall ? "nothing" : "dropped" : "waits"
    case "refuse":
      return type.isCall ? textOf(Delivery.refusalReason(reason, fate, server.askedBy)) : "dropped"
  }
}

/** What the rules have decided, by rule, fate, reason and outcome. */
class Decisions {
  readonly seen: Array<string> = []
  readonly wrong: Array<string> = []

  readonly watch = (server: ServerProcess): void => {
    const posted = new Set<Envelope>()
    const { post, settle } = server
    server.post = (envelope) => {
      posted.add(envelope)
      post.call(server, envelope)
    }
    server.settle = (fate) => {
      if (!isDown(server.phase)) return settle.call(server, fate)
      const reason = server.lastExit ?? killed
      const expected = new Map<Envelope, readonly [rule: string, outcome: string]>()
      for (const envelope of posted) {
        if (envelope.place === "nowhere") continue
        const { attempts } = envelope
        const refused = textOf(Delivery.waitingReason(attempts, reason, fate, server.askedBy))
        expected.set(envelope, [attempts > 0 ? "back" : "queued", Delivery.isQueueKept(fate) ? "waits" : refused])
      }
      for (const envelope of server.occasional?.promised ?? []) {
        expected.set(envelope, ["promised", textOf(Delivery.refusalReason(reason, fate, server.askedBy))])
      }
      const message = server.ended?.message
      if (message !== undefined && message.exit === undefined) {
        expected.set(message, ["in hand", ruleInHand(server, message, fate, reason)])
      }
      settle.call(server, fate)
      for (const [envelope, [rule, what]] of expected) {
        const line = `${rule}, ${fate}, ${reason._tag}`
        this.seen.push(`${line}: ${what}`)
        const is = outcome(server, envelope)
        if (is !== what) this.wrong.push(`${line}: ${is}, not ${what}`)
      }
    }
  }

  readonly check = (): void => assert.deepStrictEqual(this.wrong, [], this.wrong.join("; "))
}

const decided = (program: AnyProgram) => {
  const decisions = new Decisions()
  return Effect.as(Effect.scoped(run(program, decisions.watch, decisions.check)), decisions)
}

const parking = { restarts: 1, onGiveUp: "park" } as const
const again = { what: "Again", how: "die" } as const
const waiting = { what: "Call", how: "wait" } as const

/** One program for each thing that the rules may say. */
const programs: ReadonlyArray<AnyProgram> = [
  program({}, { what: "Call", how: "die" }),
  program({}, again, {}),
  program({}, { what: "Call", how: "later" }, { what: "order", order: "shutdown" }),
  program({ restart: "temporary" }, { what: "Call", how: "stop" }),
  program({ restart: "temporary" }, { what: "Call", how: "stop badly" }),
  program({}, { what: "Call", how: "stop with a reply" }),
  program({ ...parking, isOpen: false }, again, waiting, waiting, { what: "order", order: "crash" }),
  program({ isOpen: false }, waiting, waiting, { what: "supervise", supervise: "terminate" })
]

describe("what becomes of a server's messages", () => {
  it.effect.prop(
    "whatever a program does, they are dealt with as the rules say",
    [AnyProgram],
    ([program]) => decided(program),
    { arbitrary: { runs: Number(globalThis.process.env["MODEL_RUNS"] ?? 100) } }
  )

  it.effect("each rule is one that is applied", () =>
    Effect.gen(function*() {
      const seen = new Set((yield* Effect.forEach(programs, decided)).flatMap(({ seen }) => seen))
      for (
        const line of [
          "in hand, restarting, Crashed: refused: crashed, restarting",
          "in hand, restarting, Crashed: waits",
          "in hand, restarting, Crashed: quarantined",
          "in hand, finished, Shutdown: refused: not running, Shutdown",
          "in hand, stopped, Crashed: refused: crashed",
          "in hand, restarting, Normal: replied",
          "promised, restarting, Shutdown: refused: crashed, restarting",
          "queued, parked, Crashed: waits",
          "queued, stopped, Shutdown: refused: not running"
        ]
      ) assert.isTrue(seen.has(line), `${line}: not among ${[...seen].join("; ")}`)
    }))
})
