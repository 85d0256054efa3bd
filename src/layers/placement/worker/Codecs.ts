/**
 * How what a server and its handlers say to each other becomes data, and comes back.
 *
 * The state goes as it goes to a store, so what a store would keep is what a thread gets. Messages go by their schemas:
 * an error arrives as an instance of its class.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { allMessages, type WireMessage } from "../../../domain/placement/Wire.ts"
import { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import type { Codec, Encoded } from "../../../domain/state/StateSchema.ts"
import { explain } from "../../../domain/state/StateSchema.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"

/** A server class, as far as what travels is concerned. */
export interface WireServer {
  readonly key: string
  readonly messages: Messages
  readonly stateSchema: Codec<never>
}

/** What does not travel: thrown by codecs, and caught where it becomes the crash of the server. */
export class Uncrossable {
  readonly what: "reply" | "payload" | "state" | "error" | "answer"
  readonly issue: string
  constructor(what: Uncrossable["what"], issue: string) {
    this.what = what
    this.issue = issue
  }
}

/** One value as data, and back. */
export interface Way {
  readonly encode: (value: unknown) => unknown
  readonly decode: (json: unknown) => unknown
}

/** A message's three values. */
export interface MessageCodec {
  readonly isCall: boolean
  readonly payload: Way
  readonly reply: Way
  readonly error: Way
}

/** The codecs of a server class. */
export interface ServerCodec {
  readonly message: (tag: string) => MessageCodec | undefined
  readonly encodeState: (state: unknown) => Encoded
  readonly decodeState: (encoded: Encoded) => unknown
}

const inOneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, " ")

/** Compiled when it is first needed: a schema may refer to what is not defined yet. */
const wayOf = (what: Uncrossable["what"], schema: Schema.Top): Way => {
  let compiled: Way | undefined
  const way = (): Way => {
    if (compiled !== undefined) return compiled
    // A schema that needs services cannot be compiled here, and says so.
    const codec = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, unknown>
    return compiled = { encode: Schema.encodeUnknownSync(codec), decode: Schema.decodeUnknownSync(codec) }
  }
  const tried = (f: () => unknown): unknown => {
    try {
      return f()
    } catch (error) {
      throw new Uncrossable(what, `it does not fit its schema (${inOneLine(messageOf(error))})`)
    }
  }
  return {
    encode: (value) => tried(() => way().encode(value)),
    decode: (json) => tried(() => way().decode(json))
  }
}

const messageCodec = ({ error, message, payload, reply }: WireMessage): MessageCodec => ({
  isCall: message._tag === "Call",
  payload: wayOf("payload", payload),
  reply: wayOf("reply", reply),
  error: wayOf("error", error)
})

const codecs = new WeakMap<object, ServerCodec>()

/** The codecs of a server class, made once. */
export const codecOf = (server: WireServer): ServerCodec => {
  const known = codecs.get(server)
  if (known !== undefined) return known
  const messages = new Map(allMessages(server.messages).map((message) => [message.tag, messageCodec(message)]))
  const { stateSchema } = server
  const codec: ServerCodec = {
    message: (tag) => messages.get(tag),
    encodeState: (state) => {
      // What the class says a state is; a codec of its own type is not at hand here.
      const encoded = stateSchema.encode(state as never)
      if (encoded._tag === "Failure") throw new Uncrossable("state", inOneLine(`it ${encoded.failure}`))
      return encoded.success
    },
    decodeState: ({ state, version }) => {
      const decoded = stateSchema.decode(version, state)
      if (decoded._tag !== "Decoded") throw new Uncrossable("state", explain(decoded))
      return decoded.state
    }
  }
  codecs.set(server, codec)
  return codec
}

const reason = wayOf("answer", ExitReason)

/** Why something ended, as data: of a cause, what can be shown of it. */
export const encodeReason = reason.encode

/** The same back. */
export const decodeReason = (json: unknown): ExitReason => reason.decode(json) as ExitReason
