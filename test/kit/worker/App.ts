/** A program with a server in a thread and one in a process; run as a program is run. */
import { Effect } from "effect"
import process from "node:process"
import { threadId } from "node:worker_threads"
import { StateContainer, Supervisor } from "../../../src/index.ts"
import { WorkerServer } from "../../../src/worker.ts"
import { Primes, PrimesEntry } from "./Primes.ts"

const program = Effect.gen(function*() {
  const primes = yield* Primes
  const found = [yield* primes.Next(), yield* primes.Next(), yield* primes.Next()]
  return { found, isElsewhere: (yield* primes.Where()) !== `${process.pid} ${threadId}` }
})

const run = (placement: "thread" | "process") =>
  program.pipe(Effect.provide(
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Primes),
      WorkerServer.layer(Primes, PrimesEntry, { placement, spare: false })
    ])
  ))

// In one bundle each thread loads this as well.
if (!WorkerServer.isWorker) {
  const places = process.argv.slice(2) as ReadonlyArray<"thread" | "process">
  process.stdout.write(JSON.stringify(await Effect.runPromise(Effect.forEach(places, run))))
}
