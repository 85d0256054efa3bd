/**
 * What is seen of a process: its line in the tree, and all there is to know of one that was chosen.
 *
 * Everything is read at once, without a message: also of a server that is busy, hibernates or is down. States go
 * through `formatStatus` and the marks of their schemas, and come as text.
 *
 * @since 0.1.0
 */
import { Effect, JsonPatch, Option, Predicate } from "effect"
import type { Budget, InHand, Inspection, Kept, Row } from "../../../domain/observer/Wire.ts"
import { duration, laidOut } from "../../../domain/observer/Words.ts"
import { toText as reasonText } from "../../../domain/process/ExitReason.ts"
import { Idle } from "../../../domain/server/Phase.ts"
import type { ChildSpec } from "../../../domain/supervision/ChildSpec.ts"
import type { Usage } from "../../../domain/supervision/restart/Intensity.ts"
import { find as entryOf } from "../../../domain/supervision/SupervisionState.ts"
import { clause, cut, json, line, shown } from "../../../domain/text/ForeignText.ts"
import type { Child, Parent } from "../../process/Child.ts"
import { LocalProcess } from "../../process/LocalProcess.ts"
import type { Process } from "../../process/Process.ts"
import { serverOf } from "../../server/class/ServerRef.ts"
import type { ServerProcess } from "../../server/engine/ServerProcess.ts"
import type { QuarantinedMessage } from "../../server/message/Quarantine.ts"
import { hasSecrets } from "../../server/message/ShownMessage.ts"
import { formatted } from "../../server/parts/Shown.ts"
import { committed, type Peek, peek } from "../../server/system/Peek.ts"
import { specOf as dynamicSpecOf } from "../../supervision/dynamic/DynamicChild.ts"
import { DynamicProcess } from "../../supervision/dynamic/DynamicProcess.ts"
import { SupervisorProcess } from "../../supervision/static/SupervisorProcess.ts"
import type { Counts } from "./Counting.ts"

/** A process that is looked at. */
export type Watched = Process & Partial<Child>

/** The length of the text of a state, and of a payload, in characters. */
const stateLength = 16_000
const payloadLength = 2000

/** A value as JSON, bounded. */
const pretty = (value: unknown): string => laidOut(json(value, stateLength))

/** Whether nothing can be wrong with a server: most of them, most of the time. */
export const isQuiet = (process: Watched): boolean => {
  const server = serverOf(process)
  return server !== undefined && server.phase === Idle && server.mailboxSize === 0 && server.quarantined.size === 0
}

const budgetOf = (usage: Usage | undefined): Budget | null => {
  if (usage === undefined) return null
  if (usage._tag === "Schedule") return "schedule"
  const { restarts, used, within } = usage
  return { used, restarts, within }
}

const inHandOf = ({ inHand, phase, since }: NonNullable<Peek["server"]>, now: number): InHand | null => {
  if (inHand !== undefined) return { message: inHand, since: since ?? now }
  // A callback that takes its time holds up messages as a message does.
  return since !== undefined && (phase === "initialising" || phase === "ending") ? { message: phase, since } : null
}

/** What is seen of a process, wherever it is shown. */
export const rowOf = (process: Watched, n: number, now: number): Row => {
  const { budget, incarnation, kind, lastExit, server, status } = Effect.runSync(peek(process))
  return {
    n,
    id: cut(process.id, 200),
    depth: 0,
    kind: server === undefined ? kind : "server",
    status,
    incarnation,
    below: null,
    isOpen: false,
    queued: server?.queued ?? 0,
    capacity: server === undefined || server.capacity === Infinity ? null : server.capacity,
    handled: server?.handled ?? 0,
    inHand: server === undefined ? null : inHandOf(server, now),
    held: server?.held ?? 0,
    quarantined: server?.quarantined ?? 0,
    budget: budgetOf(budget),
    lastExit: lastExit === undefined ? null : cut(reasonText(lastExit), 300)
  }
}

/** The supervisor of a process, if it has one. */
export const parentOf = (process: Process): Parent | undefined =>
  process instanceof LocalProcess ? process.parent : serverOf(process)?.parent

const childSpecOf = (process: Watched): ChildSpec | undefined => {
  const parent = parentOf(process)
  if (parent instanceof SupervisorProcess) return entryOf(parent.materialize(), process.id)?.spec
  if (!(parent instanceof DynamicProcess)) return undefined
  const entry = parent.children.list().length > 0 ? parent.children.look(process as Child) : undefined
  return entry && dynamicSpecOf(entry)
}

const specLines = (process: Watched): Inspection["spec"] => {
  const { server } = Effect.runSync(peek(process))
  const spec = childSpecOf(process)
  const lines: Array<readonly [string, string]> = []
  if (server !== undefined) {
    lines.push(["class", server.class])
    if (server.key !== "") lines.push(["key", server.key])
  }
  if (spec !== undefined) {
    const { needs, restart, shutdown, significant } = spec
    lines.push(["restart", restart])
    lines.push(["shutdown", typeof shutdown === "number" ? duration(shutdown) : shutdown.replace("_", " ")])
    if (significant) lines.push(["significant", "yes: its end may end its supervisor"])
    if (needs.length > 0) lines.push(["needs", needs.join(", ")])
  }
  if (process instanceof SupervisorProcess) lines.push(["strategy", process.options.strategy.replaceAll("_", " ")])
  if (process instanceof SupervisorProcess || process instanceof DynamicProcess) {
    lines.push(["when its budget is spent", process.options.onGiveUp === "park" ? "parks the child" : "gives up"])
  }
  if (server !== undefined) {
    lines.push(["started from", server.restoredFrom === 0 ? "init" : `snapshot ${server.restoredFrom}`])
    if (server.promised > 0) lines.push(["promised answers", `${server.promised}`])
    if (server.store !== undefined) lines.push(["stored in", server.store.name], ["under", server.store.key])
  }
  return lines
}

/** All there is to know of one process, but for its snapshots, which its store may have to be asked for. */
export const inspect = (
  process: Watched,
  n: number,
  crash: string | null,
  counts: Counts | undefined
): Inspection => {
  const server = serverOf(process)
  const state = server === undefined ? undefined : Option.getOrUndefined(Effect.runSync(committed(server.ref as never)))
  return {
    n,
    path: process.path,
    spec: specLines(process),
    state: state === undefined ? null : pretty(state.state),
    seq: state?.seq ?? 0,
    trust: state === undefined ? null : state.trust,
    isStored: state?.isConserved ?? true,
    crash: crash ?? (process.lastExit === undefined ? null : reasonText(process.lastExit)),
    types: server === undefined
      ? []
      : Array.from(server.types.values(), ({ isCall, tag }) => [
        tag,
        isCall ? "call" : "cast",
        counts?.byTag.get(tag) ?? 0
      ]),
    countedSince: counts?.since ?? 0,
    quarantined: server === undefined ? [] : quarantinedOf(server),
    timers: server === undefined ? [] : server.timers.map(({ due, every, message, name }) => ({
      name,
      message,
      due,
      every: every ?? null
    }))
  }
}

const quarantinedOf = (server: ServerProcess): Inspection["quarantined"] =>
  Array.from(server.quarantined, (message) => ({
    at: message.at,
    message: message.request,
    attempts: message.attempts,
    why: cut(reasonText(message.reason), 300),
    payload: payloadOf(server, message)
  }))

/** The payload as a crash report would show it. */
const payloadOf = (server: ServerProcess, { payload, reason, request, type }: QuarantinedMessage): string => {
  // Who marks secrets in the state and none in what they come by may have forgotten them.
  if (server.spec.redact !== undefined && payload !== undefined && !hasSecrets(type)) {
    return "<not shown: its class marks secrets, and the schema of this message marks none>"
  }
  const { inMemory } = server
  if (server.formatStatus !== undefined && Option.isNone(inMemory)) {
    return "<not shown: its format hook would have to see the state, which is not in memory>"
  }
  const { message } = formatted(server, {
    state: Option.getOrUndefined(inMemory),
    message: { request, payload },
    reason,
    log: []
  })
  return shown(Predicate.hasProperty(message, "payload") ? message.payload : message, payloadLength)
}

// ---- snapshots

/** A state as it may be shown, as JSON. */
const shownState = (server: ServerProcess, state: unknown) =>
  json(formatted(server, { state, log: [] }).state, stateLength)

/** The conserved snapshots of a server, the newest first, then those set aside. */
export const snapshotsOf = (server: ServerProcess): Effect.Effect<ReadonlyArray<Kept>> =>
  Effect.suspend(() => {
    const { companion } = server
    if (companion === undefined) return Effect.succeed([])
    return Effect.map(Effect.all([companion.snapshots, companion.aside]), ([kept, aside]) => {
      const newest = Option.getOrUndefined(Effect.runSync(committed(server.ref as never)))
      return [
        ...kept.map(({ incarnation, seq, state }): Kept => ({
          seq,
          incarnation,
          trust: seq === newest?.seq ? newest.trust : "trusted",
          aside: null,
          text: laidOut(shownState(server, state))
        })),
        ...aside.map(({ seq, why }): Kept => ({
          seq,
          incarnation: 0,
          trust: "suspect",
          aside: why,
          // A store has it as text, which no schema has read: what is secret in it is not known.
          text: ""
        }))
      ]
    })
  })

/** What changed from one snapshot of a server to another, a line for each change. */
export const differenceOf = (server: ServerProcess, from: number, to: number): Effect.Effect<string> =>
  Effect.map(server.companion?.snapshots ?? Effect.succeed([]), (kept) => {
    const [before, after] = [from, to].map((seq) => kept.find((one) => one.seq === seq))
    if (before === undefined || after === undefined) return "One of the two is not kept any more."
    const patch = JsonPatch.get(shownState(server, before.state) as never, shownState(server, after.state) as never)
    if (patch.length === 0) return "Nothing that is shown differs."
    return patch.map((one) => {
      const path = one.path === "" ? "the whole state" : one.path
      return one.op === "remove" ? `− ${path}` : `${one.op === "add" ? "+" : "±"} ${path}: ${line(one.value as never)}`
    }).join("\n")
  })

/** What failed, in a sentence. */
export const failure = (error: unknown): string => clause(error, 500)
