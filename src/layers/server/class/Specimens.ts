/**
 * One of each kind of object that the engine is compiled for, kept for ever.
 *
 * V8 forgets the shape of a class when a full collection finds no object of it, and with the shape all code that was
 * compiled for it. Messages are short-lived, and servers of a class may all be gone for a while: a collection at such a
 * moment would throw away the compiled engine, and the next ten thousand calls would run three times slower until it is
 * compiled anew. As long as these are there, nothing is forgotten. They are never read.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { callError } from "../../../domain/process/CallError.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"
import { Envelope, type Receiver } from "../message/Envelope.ts"
import { DirectView, HandlerView } from "../message/HandlerView.ts"
import { ownCall } from "../message/MessageType.ts"
import { Handling, type Incarnation } from "../parts/Incarnation.ts"
import type { ServerSpec } from "../parts/ServerSpec.ts"
import type { ClientClass } from "../parts/ServerSpec.ts"
import { Calling, Casting } from "./Client.ts"
import { Suspended, Yielded } from "./Yielded.ts"

// No server is there when this module is loaded, and none is ever asked anything by a specimen.
const noServer = {} as Receiver & ServerProcess

const envelope = new Envelope(noServer, ownCall, undefined, undefined)

const casting = new Casting(noServer, ownCall, undefined)

const messages: ReadonlyArray<object> = [
  envelope,
  new HandlerView(envelope, 1),
  new DirectView(noServer, ownCall, undefined, 1),
  new Handling({} as Incarnation, Effect.void),
  new Calling(noServer, ownCall, undefined, 5000, undefined),
  casting,
  new Suspended(() => casting),
  new Yielded(casting),
  callError("", "", { _tag: "NotRunning" })
]

const kept = new WeakMap<object, ReadonlyArray<object>>()

/** Keeps one of each for a server class, for as long as there is the class. */
export const keepSpecimens = (server: object, Client: ClientClass): void => {
  kept.set(server, [new ServerProcess({ Client } as ServerSpec, ""), messages])
}
