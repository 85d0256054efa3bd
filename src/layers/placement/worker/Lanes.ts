/**
 * Threads that servers share: each key has its lane, and each lane a thread at a time.
 *
 * *Tricky*: a lane forgets a thread that has died before those who wait for it hear of that, so they ask the next one.
 *
 * @since 0.1.0
 */
import { Effect, Exit, Hash, type Scope } from "effect"
import { indexOf } from "../../../domain/naming/Partition.ts"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { WorkerDied, type WorkerFailed } from "../../../domain/placement/WorkerErrors.ts"
import type { Host } from "./Host.ts"
import { make as makeSupply, type PlacementOptions, type Starts, type Supply, type Wanted } from "./Supply.ts"

/** Threads, or processes, that servers share. */
export interface Lanes {
  readonly kind: Supply["kind"]
  readonly size: number
  /** The thread of a key, ready to serve a class. */
  readonly host: (key: string, wanted: Wanted) => Effect.Effect<Host, WorkerFailed>
}

/** Makes them: threads start when they are first needed, and end with the scope. */
export const make = Effect.fnUntraced(function*(
  of: string,
  options: PlacementOptions & { readonly size: number },
  starts?: Starts
): Effect.fn.Return<Lanes, never, Scope.Scope> {
  const size = GivenOption.integer({ of, option: "size", given: options.size }, 1)
  const supply = yield* makeSupply(of, options, true, starts)
  const context = yield* Effect.context<never>()
  const hosts = new Map<number, Host>()
  let isOver = false

  const begin = (lane: number): Host => {
    const host = supply.take()
    hosts.set(lane, host)
    host.onDeath = (error, begun) => {
      hosts.delete(lane)
      if (isOver) return
      const others = `Of what it was asked, ${begun === 1 ? "one message was" : `${begun} messages were`} begun.`
      Effect.runForkWith(context)(Effect.logWarning(`${of}: ${error.message} ${others}`))
    }
    return host
  }

  yield* Effect.addFinalizer(() => {
    isOver = true
    return Effect.forEach(hosts.values(), (host) => host.end(5000), { concurrency: "unbounded", discard: true })
  })

  return {
    kind: supply.kind,
    size,
    host: (key, wanted) =>
      Effect.suspend(() => {
        if (isOver) return Exit.die(new WorkerDied({ place: supply.kind, how: `was ended with its pool, ${of}` }))
        const lane = indexOf(key, size, Hash.hash)
        const host = hosts.get(lane) ?? begin(lane)
        return Effect.as(supply.prepare(host, wanted), host)
      })
  }
})
