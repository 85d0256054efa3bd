/** A mailbox beside a plain list of what waits: whatever is done to both, they hold the same, in the same order. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Deadlines } from "../../../../src/layers/server/message/Deadlines.ts"
import { Envelope, type Queued, type Receiver } from "../../../../src/layers/server/message/Envelope.ts"
import { Mailbox, type Overflow } from "../../../../src/layers/server/message/Mailbox.ts"
import { ownCall, ownTell } from "../../../../src/layers/server/message/MessageType.ts"
import { now } from "../../../kit/Fibers.ts"

const nobody = (deadlines: Deadlines): Receiver => ({
  name: "test",
  givenKey: undefined,
  seq: 0,
  spec: { deadlines },
  current: undefined,
  post: () => {},
  withdrawn: () => {},
  waitsFor: () => "turn",
  outage: undefined,
  answerLater: () => {}
})

const Step = Schema.Struct({
  // Twice what fills it, so that it is not empty most of the time.
  what: Schema.Literals([
    "put",
    "put",
    "putOwn",
    "putTell",
    "take",
    "takeOwn",
    "takeRequest",
    "withdraw",
    "again",
    "clear"
  ]),
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50 }))
})

/** What a mailbox promises, without any of its speed. */
class Model {
  private inside: ReadonlyArray<Envelope> = []
  private outside: ReadonlyArray<Envelope> = []
  private readonly capacity: number
  private readonly overflow: Overflow

  constructor(capacity: number, overflow: Overflow) {
    this.capacity = capacity
    this.overflow = overflow
  }

  get waiting(): ReadonlyArray<Envelope> {
    return [...this.inside, ...this.outside]
  }

  get size(): number {
    return this.inside.length
  }

  private get users(): ReadonlyArray<Envelope> {
    return this.inside.filter(({ work }) => work === undefined)
  }

  put(envelope: Envelope): Envelope | "queued" | "full" | "waits" {
    if (envelope.work !== undefined || (this.users.length < this.capacity && this.outside.length === 0)) {
      this.inside = [...this.inside, envelope]
      return "queued"
    }
    switch (this.overflow) {
      case "fail":
        return "full"
      case "suspend":
        this.outside = [...this.outside, envelope]
        return "waits"
      case "drop_oldest": {
        const oldest = this.users[0]!
        this.inside = [...this.inside.filter((other) => other !== oldest), envelope]
        return oldest
      }
    }
  }

  putBack(envelope: Envelope): void {
    this.inside = [envelope, ...this.inside]
  }

  remove(envelope: Envelope | undefined): Envelope | undefined {
    this.inside = this.inside.filter((other) => other !== envelope)
    this.outside = this.outside.filter((other) => other !== envelope)
    while (this.outside.length > 0 && this.users.length < this.capacity) {
      const [first, ...others] = this.outside
      this.outside = others
      this.inside = [...this.inside, first!]
    }
    return envelope
  }

  take(): Envelope | undefined {
    return this.remove(this.inside[0])
  }

  takeOwn(): Envelope | undefined {
    return this.remove(this.inside.find(({ work }) => work !== undefined))
  }

  /** An order to stop, which is no request, keeps its place. */
  takeRequest(): Envelope | undefined {
    const own = this.inside.find(({ work }) => work !== undefined)
    return own?.type.isCall === true ? this.remove(own) : undefined
  }

  clear(): ReadonlyArray<Envelope> {
    const all = this.waiting
    this.inside = this.outside = []
    return all
  }
}

const numbered = (all: ReadonlyArray<Queued | undefined>): ReadonlyArray<unknown> => all.map((mail) => mail?.payload)

for (const overflow of ["suspend", "fail", "drop_oldest"] as const) {
  // Without a capacity nothing overflows.
  for (const capacity of overflow === "suspend" ? [1, 3, 40, Infinity] : [1, 3, 40]) {
    it.effect.prop(
      `the message that has waited longest is taken next (${overflow}, capacity ${capacity})`,
      [Schema.Array(Step).check(Schema.isMinLength(120), Schema.isMaxLength(250))],
      ([steps]) =>
        Effect.gen(function*() {
          const server = nobody(new Deadlines(yield* Effect.context<never>()))
          const mailbox = new Mailbox(capacity, overflow)
          const model = new Model(capacity, overflow)
          let number = 0
          let last: Envelope | undefined
          const next = (work?: () => unknown, type = ownCall) => new Envelope(server, type, number++, undefined, work)
          for (const { at, what } of steps) {
            switch (what) {
              case "put": {
                const envelope = next()
                const put = mailbox.put(envelope)
                const expected = model.put(envelope)
                if (put._tag === "Dropped") assert.strictEqual(put.envelope, expected)
                else assert.strictEqual<unknown>(put._tag.toLowerCase(), expected)
                break
              }
              case "putOwn":
              case "putTell": {
                const envelope = next(() => undefined, what === "putTell" ? ownTell : ownCall)
                mailbox.putOwn(envelope)
                model.put(envelope)
                break
              }
              case "take": {
                const taken = mailbox.take()
                assert.deepStrictEqual(numbered([taken]), numbered([model.take()]))
                if (taken instanceof Envelope && taken.work === undefined) last = taken
                break
              }
              case "takeOwn":
                assert.deepStrictEqual(numbered([mailbox.takeOwn()]), numbered([model.takeOwn()]))
                break
              case "takeRequest":
                assert.deepStrictEqual(numbered([mailbox.takeRequest()]), numbered([model.takeRequest()]))
                break
              case "withdraw": {
                const { waiting } = model
                const envelope = waiting[at % waiting.length]
                if (envelope === undefined) break
                mailbox.withdraw(envelope)
                model.remove(envelope)
                break
              }
              case "again":
                if (last === undefined) break
                mailbox.putBack(last)
                model.putBack(last)
                last = undefined
                break
              case "clear":
                if (at > 2) break
                assert.deepStrictEqual(numbered(mailbox.clear()), numbered(model.clear()))
                break
            }
            assert.strictEqual(mailbox.size, model.size)
          }
          assert.deepStrictEqual(numbered(mailbox.waiting), numbered(model.waiting))
          assert.deepStrictEqual(numbered(mailbox.clear()), numbered(model.clear()))
        })
    )
  }
}

it.effect("senders that are let in at once go on in the order in which they came", () =>
  Effect.gen(function*() {
    const server = nobody(new Deadlines(yield* Effect.context<never>()))
    const mailbox = new Mailbox(1, "suspend")
    const gone: Array<number> = []
    for (const n of [0, 1, 2, 3]) {
      const put = mailbox.put(new Envelope(server, ownCall, n, undefined, undefined))
      if (put._tag === "Waits") yield* now(Effect.andThen(put.room, Effect.sync(() => gone.push(n))))
    }
    assert.deepStrictEqual(numbered(mailbox.clear()), [0, 1, 2, 3])
    mailbox.resumeSenders()
    yield* Effect.yieldNow
    assert.deepStrictEqual(gone, [1, 2, 3])
  }))
