import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Link, wayUp } from "../../../../src/layers/server/message/CallChain.ts"

/** A server: the message in hand, the call that its handler waits for, and what is queued. */
interface Server {
  inHand: Message | undefined
  waitsFor: Message | undefined
  queue: Array<Message>
}

interface Message extends Link {
  readonly no: number
  readonly from: Server | undefined
  gone: boolean
  exit: unknown
}

const causeOf = ({ from }: Message): Message | undefined => from?.inHand

let sent = 0
const message = (from?: Server): Message => ({ no: ++sent, chain: 0, from, gone: false, exit: undefined })

const numbers = (way: ReadonlyArray<Message> | undefined) => way?.map(({ no }) => no)

/** The same, asked link by link. */
const walk = (first: Message, last: Message): ReadonlyArray<Message> | undefined => {
  const way: Array<Message> = []
  for (let link: Message | undefined = last; link !== first; link = causeOf(link)) {
    if (link === undefined || link.gone || link.exit !== undefined) return undefined
    way.push(link)
  }
  return way
}

const which = Schema.Literals([0, 1, 2, 3, 4])
const Step = Schema.Struct({
  what: Schema.Literals(["send", "call", "call", "call", "answer", "answer", "reply early", "give up", "kill"]),
  who: which,
  whom: which
})

it.prop(
  "finds what a walk from message to message finds, whatever happens to them",
  [Schema.Array(Step).check(Schema.isMinLength(80), Schema.isMaxLength(160))],
  ([steps]) => {
    const servers = [0, 1, 2, 3, 4].map((): Server => ({ inHand: undefined, waitsFor: undefined, queue: [] }))
    const take = (server: Server) => {
      server.inHand = server.queue.shift()
      if (server.inHand?.gone === true) take(server)
    }
    const deliver = (to: Server, what: Message) => {
      to.queue.push(what)
      if (to.inHand === undefined) take(to)
    }
    const letGo = (server: Server) => {
      if (server.waitsFor !== undefined) server.waitsFor.gone = true
      server.waitsFor = undefined
    }
    const waits = ({ waitsFor }: Server) => waitsFor !== undefined && waitsFor.exit === undefined
    for (const { what, who, whom } of steps) {
      const [server, other] = [servers[who]!, servers[whom]!]
      const { inHand } = server
      if (what === "send") deliver(server, message())
      else if (inHand === undefined) continue
      else if (what === "reply early") inHand.exit = "early"
      else if (what === "give up") letGo(server)
      else if (what === "kill") {
        letGo(server)
        inHand.exit = "killed"
        take(server)
      } else if (waits(server)) continue
      else if (what === "answer") {
        inHand.exit = "answered"
        server.waitsFor = undefined
        take(server)
      } else {
        const call = message(server)
        if (other.inHand !== undefined) {
          const expected = walk(other.inHand, inHand)
          assert.deepStrictEqual(numbers(wayUp(other.inHand, inHand, causeOf)), numbers(expected))
          if (expected !== undefined) continue
        }
        server.waitsFor = call
        deliver(other, call)
      }
    }
  }
)

it("asks each message of a long chain once, however many calls it makes", () => {
  let asked = 0
  const counting = (link: Message) => {
    asked++
    return causeOf(link)
  }
  const length = 10_000
  let last = message()
  for (let i = 0; i < length; i++) {
    assert.isUndefined(wayUp(message(), last, counting))
    last = message({ inHand: last, waitsFor: undefined, queue: [] })
  }
  assert.isAtMost(asked, 3 * length)
})
