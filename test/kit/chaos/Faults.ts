/** Deliberate faults of the engine: each takes one promise out of one source file. */

import type { Options } from "./Hunt.ts"

/** What is broken, and how: `from` stands in `file` once. */
export interface DeliberateFault {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** What is hunted with, where the usual faults would take long to show it. */
  readonly how?: Omit<Options, "seed">
}

/** Those that are put in by `npm test`; `npm run chaos -- --faults` puts in all. */
export const isQuick = ({ name }: DeliberateFault): boolean => quick.some((one) => name === one)

const quick = [
  "a reply goes before the commit",
  "a withdrawn call is handled",
  "the caller of the message in hand is not answered at a restart",
  "a recorded answer is not kept"
]

/** Within how many seeds each is found. */
export const withinSeeds = 12

/** Each for so many virtual minutes, unless it says otherwise. */
export const usualMinutes = 1

/** Processes that are killed while their slow store is at work. */
const killed = {
  minutes: 10,
  isDurable: true,
  slow: 0.5,
  faults: { store: 0, machine: 240, messages: 0, lives: 0, clock: 0 }
} as const

export const deliberateFaults: ReadonlyArray<DeliberateFault> = [
  {
    name: "a reply goes before the commit",
    file: "src/layers/server/engine/Commit.ts",
    from: `  if (!commitAnswer(server, envelope, state, reply, options)) return
  const { incarnation, spec } = server
  if (spec.faults !== undefined && injectFault(server, "afterCommit", envelope)) return`,
    to: `  if (reply !== undefined) answer(server, envelope, reply)
  const { incarnation, spec } = server
  if (spec.faults !== undefined && injectFault(server, "afterCommit", envelope)) return
  if (!commitAnswer(server, envelope, state, reply, options)) return`
  },
  {
    name: "a reply goes before the store has the state",
    file: "src/layers/state/durable/Durable.ts",
    from: `return this.session.when === "commit" && this.outbox.ahead > 0`,
    to: `return false`,
    how: killed
  },
  {
    name: "the fence of a store is not asked",
    file: "src/layers/state/store/StateStore.ts",
    from: `        const reason = stale(records)`,
    to: `        const reason = undefined as StoreErrorReason | undefined`,
    how: killed
  },
  {
    name: "a withdrawn call is handled",
    file: "src/layers/server/engine/Intake.ts",
    from: `  mailbox?.withdraw(envelope)`,
    to: ``
  },
  {
    name: "a restart more than the budget allows",
    file: "src/domain/supervision/restart/Intensity.ts",
    from: `this.size >= this.limit.restarts`,
    to: `this.size > this.limit.restarts`,
    how: { minutes: 2, faults: { messages: 1800 } }
  },
  {
    name: "the caller of the message in hand is not answered at a restart",
    file: "src/layers/server/life/Settle.ts",
    from: `if (ended?.message !== undefined) resolveInFlight`,
    to: `if (ended?.message !== undefined && fate !== "restarting") resolveInFlight`
  },
  {
    name: "a caller that was promised a reply is not answered at the end",
    file: "src/layers/server/life/Settle.ts",
    from: `for (const envelope of promised) refuse(server, envelope, fate, reason)`,
    to: ``
  },
  {
    name: "what an abandoned handler computes is committed",
    file: "src/layers/server/life/Fibers.ts",
    from: `    if (server.fiber === fiber) return false`,
    to: `    if (server.fiber === fiber || writes) return false`
  },
  {
    name: "a child is started before the one that it needs is up",
    file: "src/domain/supervision/GroupPlan.ts",
    from: `          outstanding = [id]
          start(draft, entry)`,
    to: `          start(draft, entry)`,
    how: { minutes: 2, faults: { lives: 900 } }
  },
  {
    name: "a recorded answer is not kept",
    file: "src/layers/state/companion/AnswerBook.ts",
    from: `    const before = this.byKey.put(kept)`,
    to: `    const before = this.byKey.get(kept.key)`
  },
  {
    name: "a timer is delivered twice",
    file: "src/domain/state/Timers.ts",
    from: `return every === undefined ? [] :`,
    to: `return every === undefined ? [timer] :`
  },
  {
    name: "two messages are handled at once",
    file: "src/layers/server/engine/Turns.ts",
    from: `    while (server.phase === Idle || server.phase === Pending) {`,
    to: `    while (server.phase < 3) {`
  },
  {
    name: "a message that is handled again goes behind those that wait",
    file: "src/layers/server/message/Mailbox.ts",
    from: `    envelope.place = "inside"
    MutableList.prepend(this.messages, envelope)`,
    to: `    envelope.place = "inside"
    MutableList.append(this.messages, envelope)`
  }
]
