/** A reader that applies every difference has what the source saw. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { applied, between } from "../../../src/domain/observer/Difference.ts"
import type { Row, Screen } from "../../../src/domain/observer/Wire.ts"

const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
const word = Schema.Literals(["a", "b", "c"])

/** Numbers are places in what follows, so that screens have much in common. */
const Drawn = Schema.Struct({
  rows: Schema.Array(
    Schema.Struct({ n: small, queued: small, inHand: Schema.NullOr(word), used: Schema.NullOr(small) })
  ),
  total: small,
  from: small,
  messages: small,
  alarms: Schema.Array(word),
  chosen: Schema.NullOr(Schema.Struct({ n: small, state: word, crash: Schema.NullOr(word) })),
  feed: Schema.Array(Schema.Struct({ id: small, cost: word }))
})

const unique = <A>(all: ReadonlyArray<A>, by: (one: A) => number): ReadonlyArray<A> =>
  all.filter((one, i) => all.findIndex((other) => by(other) === by(one)) === i)

const row = ({ inHand, n, queued, used }: typeof Drawn.Type["rows"][number]): Row => ({
  n,
  id: `id ${n}`,
  depth: n,
  kind: "server",
  status: "running",
  incarnation: 1,
  below: null,
  isOpen: false,
  queued,
  capacity: null,
  handled: queued,
  inHand: inHand && { message: inHand, since: 1 },
  held: 0,
  quarantined: 0,
  budget: used === null ? null : { used, restarts: 3, within: 5000 },
  lastExit: null
})

const screenOf = ({ alarms, chosen, feed, from, messages, rows, total }: typeof Drawn.Type): Screen => ({
  totals: {
    processes: 1,
    troubled: 0,
    messages,
    queued: 0,
    crashes: 0,
    restarts: 0,
    rollbacks: 0,
    recoveries: 0,
    recoveryMillis: 0
  },
  alarms: alarms.map((text) => ({ tone: "warn", text, n: null })),
  stores: [],
  total,
  from,
  rows: unique(rows, ({ n }) => n).map(row),
  chosen: chosen && {
    n: chosen.n,
    path: ["app"],
    spec: [["restart", "permanent"]],
    state: chosen.state,
    seq: 1,
    trust: "trusted",
    isStored: true,
    crash: chosen.crash,
    types: [],
    countedSince: 0,
    quarantined: [],
    timers: []
  },
  feed: [...unique(feed, ({ id }) => id)].sort((a, b) => b.id - a.id).map(({ cost, id }) => ({
    id,
    path: ["app"],
    title: "crashed",
    tone: "warn",
    began: 0,
    ended: null,
    cost,
    steps: []
  }))
})

/** A feed loses nothing but its oldest. */
const grown = (before: Screen, after: Screen): Screen => ({
  ...after,
  feed: [...after.feed, ...before.feed.filter(({ id }) => after.feed.every((one) => one.id !== id))]
    .sort((a, b) => b.id - a.id)
})

describe("a difference", () => {
  it.prop("applied to the screen before is the screen after", [Drawn, Drawn], ([a, b]) => {
    const before = screenOf(a)
    const after = grown(before, screenOf(b))
    const changed = between(before, after)
    const sent = JSON.parse(JSON.stringify(changed ?? {}))
    assert.deepStrictEqual(applied(before, sent), after)
  })

  it.prop("of a screen and one that is equal is none", [Drawn], ([a]) => {
    assert.isUndefined(between(screenOf(a), screenOf(a)))
  })

  it("of one counter in one row is that counter", () => {
    const drawn = { total: 2, from: 0, messages: 0, alarms: [], chosen: null, feed: [] }
    const rows = [{ n: 1, queued: 0, inHand: null, used: null }, { n: 2, queued: 0, inHand: null, used: null }]
    const before = screenOf({ ...drawn, rows })
    const after = { ...before, rows: [before.rows[0]!, { ...before.rows[1]!, handled: 7 }] }
    assert.deepStrictEqual(between(before, after), { rows: [{ n: 2, handled: 7 }] })
  })
})
