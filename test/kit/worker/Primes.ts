/** An entry as a program has it, in a module of its own. */
import { Effect, Schema } from "effect"
import process from "node:process"
import { threadId } from "node:worker_threads"
import { GenServer } from "../../../src/index.ts"
import { WorkerServer } from "../../../src/worker.ts"

export class Primes extends GenServer.Service<Primes>()("test/Primes", {
  state: Schema.Int,
  messages: {
    Next: GenServer.call({ reply: Schema.Int }),
    Where: GenServer.call({ reply: Schema.String })
  }
}) {}

const isPrime = (n: number) => Array.from({ length: n - 2 }, (_, i) => i + 2).every((d) => n % d !== 0)

const behavior = Primes.behavior({
  init: 1,
  handlers: {
    Next: (last) => {
      let next = last + 1
      while (!isPrime(next)) next++
      return Effect.succeed([next, next])
    },
    Where: (last) => [`${process.pid} ${threadId}`, last]
  }
})

export const PrimesEntry = WorkerServer.entry(Primes, behavior, import.meta.url)
