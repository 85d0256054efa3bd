/** Threads and processes as a test plays them: what each was started with and told, and what is heard of it. */
import type { Listener, Place, PlaceOptions, Sight } from "../../../src/layers/placement/worker/Place.ts"
import type { Ask, Request } from "../../../src/layers/placement/worker/Protocol.ts"
import type { Starts } from "../../../src/layers/placement/worker/Supply.ts"

/** One of them. */
export class Played {
  readonly kind: Place["kind"]
  readonly options: PlaceOptions
  readonly listener: Listener
  readonly said: Array<Request> = []
  /** The millis of each look at it. */
  readonly looks: Array<number> = []
  sight: Sight = { utilisation: 0, given: undefined }
  /** Whether it does at once what it is told to load, to serve, and to end. */
  isWilling = true
  isEnded = false

  constructor(kind: Place["kind"], options: PlaceOptions, listener: Listener) {
    this.kind = kind
    this.options = options
    this.listener = listener
  }

  get place(): Place {
    return {
      kind: this.kind,
      marks: undefined,
      post: (request) => {
        this.said.push(request)
        const isDone = request.to === "load" || request.to === "serve" || request.to === "end"
        if (isDone && this.isWilling) this.listener.response({ is: "done", id: request.id })
      },
      look: (millis) => {
        this.looks.push(millis)
        return this.sight
      },
      end: (done) => {
        this.isEnded = true
        done()
      }
    }
  }

  /** What it was told, in short. */
  get told(): ReadonlyArray<string> {
    return this.said.map((one) =>
      one.to === "load" ? `load ${one.url}` : one.to === "serve" ? `serve ${one.server}` : one.to
    )
  }
}

/** All that are started, in their order. */
export const played = (): { readonly starts: Starts; readonly all: Array<Played> } => {
  const all: Array<Played> = []
  const start = (kind: Place["kind"]): Starts["thread"] => (options, listener) => {
    const one = new Played(kind, options, listener)
    all.push(one)
    return one.place
  }
  return { all, starts: { thread: start("thread"), process: start("process") } }
}

/** A request to a server of such a place. */
export const request: Omit<Ask, "to" | "id" | "slot"> = {
  seat: 0,
  server: "test/One",
  key: undefined,
  callback: { of: "idle" },
  state: undefined
}
