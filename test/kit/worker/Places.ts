/** Servers of `Crunch` whose handlers run elsewhere, from one bundle: it loads in a fifth of the time. */
import { Cause, Effect, type Exit, Layer } from "effect"
import process from "node:process"
import { pathToFileURL } from "node:url"
import { type GenServer, StateContainer, Supervisor } from "../../../src/index.ts"
import { WorkerServer } from "../../../src/worker.ts"
import { bundle } from "../Bundle.ts"
import { reasonOf } from "../Failures.ts"
import { often } from "../Restarts.ts"
import { behavior, Crunch, layer } from "./Crunch.ts"

/** The URL of the bundle that has the entries. */
export const url = () => pathToFileURL(bundle("test/kit/worker/Crunch.ts")).href

/** The entry in the bundle. */
export const entry = () => WorkerServer.entry(Crunch, behavior, url(), { layer })

/** One server of the class, and what it needs. */
export const one = (options: WorkerServer.PlacementOptions & GenServer.Options) =>
  Layer.suspend(() =>
    Supervisor.layer({ strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Crunch),
      WorkerServer.layer(Crunch, entry(), { spare: false, ...options })
    ])
  )

export class Threads extends WorkerServer.Pool<Threads>()("test/Threads") {}

/** Servers of the class by key, in a pool. */
export const many = (options: WorkerServer.PoolOptions & { readonly keyed?: GenServer.Options }) =>
  Layer.suspend(() =>
    Supervisor.layer({ strategy: "one_for_one", restart: often }, [
      StateContainer.layerMemory(Crunch),
      WorkerServer.layerKeyed(Crunch, entry(), { pool: Threads, ...options.keyed })
    ])
  ).pipe(Layer.provide(WorkerServer.layerPool(Threads, options)))

/** What a server crashed with, as its caller hears it. */
export const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const reason = reasonOf(exit)
  return reason?._tag === "Crashed" ? Cause.squash(reason.cause) : undefined
}

/** The same in one line. */
export const crashOf = (exit: Exit.Exit<unknown, unknown>): string => {
  const defect = defectOf(exit)
  return defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
}

/** The threads and processes that this process has, and nothing else that keeps it alive. */
export const placesThatLive = Effect.sync(() =>
  process.getActiveResourcesInfo().filter((name) =>
    name === "Worker" || name === "ProcessWrap" || name === "MessagePort"
  )
)

/**
 * The same once there are no more than before: a handle goes a moment after what it was of, and a kill waits for
 * neither.
 */
export const placesLeft = (before: ReadonlyArray<string>) =>
  Effect.repeat(Effect.delay(placesThatLive, 1), { until: (left) => left.length <= before.length })
