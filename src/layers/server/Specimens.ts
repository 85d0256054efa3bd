/**
 * One of each kind of object that lives no longer than a message, kept for ever.
 *
 * V8 forgets the shape of a class when a full collection finds no object of it, and with the shape all code that was
 * compiled for it. Messages are short-lived, so a collection while nothing is on its way would throw away the compiled
 * engine, and the next ten thousand calls would run three times slower until it is compiled anew. As long as these are
 * there, nothing is forgotten. Nobody reads them.
 *
 * @since 0.1.0
 */
import { callError } from "../../domain/Errors.ts"
import { Calling, Casting } from "./Client.ts"
import { Envelope, ownCall, type Receiver } from "./Envelope.ts"
import { DirectView, HandlerView } from "./HandlerView.ts"
import type { ServerProcess } from "./ServerProcess.ts"

// No server is there when this module is loaded, and none is ever asked anything by a specimen.
const nobody = {} as Receiver & ServerProcess

const envelope = new Envelope(nobody, ownCall, undefined, undefined)

/** The specimens. */
export const specimens: ReadonlyArray<object> = [
  envelope,
  new HandlerView(envelope, 1),
  new DirectView(nobody, ownCall, undefined, 1),
  new Calling(nobody, ownCall, undefined, 5000, undefined),
  new Casting(nobody, ownCall, undefined),
  callError("", "", { _tag: "NotRunning" })
]
