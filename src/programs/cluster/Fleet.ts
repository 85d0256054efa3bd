/**
 * Runners as processes: started, killed, frozen, thawed and stopped in order.
 */
import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { freePort } from "./Postgres.ts"

/** How a runner is started. */
export interface Command {
  readonly args: ReadonlyArray<string>
  /** What it finds in its environment, given its port. */
  readonly environment: (port: number) => Readonly<Record<string, string>>
}

/**
 * What a runner says, a word a line: that it has joined; that a write of its was refused, since its key was another's
 * by then.
 */
export const says = { joined: "joined", refused: "refused" } as const

/** One runner, which may be started again after it has gone. */
export interface Runner {
  readonly number: number
  pid: number
  /** How many writes of its were refused. */
  refused: number
  /** It has joined. */
  joined: Deferred.Deferred<void>
  ended: Deferred.Deferred<void>
  process: ChildProcess
}

const launch = ({ args, environment }: Command, port: number, refused: () => void) => {
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    // It ends when its standard input does: with the process that has started it, however that ends.
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment(port) }
  })
  const joined = Deferred.makeUnsafe<void>()
  const ended = Deferred.makeUnsafe<void>()
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === says.joined) Deferred.doneUnsafe(joined, Effect.void)
    if (line === says.refused) refused()
  })
  child.on("close", () => void Deferred.doneUnsafe(ended, Effect.void))
  return { process: child, pid: child.pid ?? 0, joined, ended }
}

/** Some runners; what is left of them is killed with the Scope. */
export const make = Effect.fnUntraced(function*(
  count: number,
  command: Command
): Effect.fn.Return<ReadonlyArray<Runner>, never, Scope.Scope> {
  const ports = yield* Effect.forEach(Array.from({ length: count }), () => freePort)
  return yield* Effect.forEach(ports, (port, i) =>
    Effect.acquireRelease(
      Effect.sync((): Runner & { readonly again: () => void } => {
        const refused = () => void runner.refused++
        const runner: Runner & { readonly again: () => void } = {
          number: i + 1,
          refused: 0,
          ...launch(command, port, refused),
          again: () => void Object.assign(runner, launch(command, port, refused))
        }
        return runner
      }),
      (runner) => Effect.andThen(signal(runner, "SIGKILL"), Deferred.await(runner.ended))
    ))
})

/** Sends a signal; one that is frozen dies of SIGKILL, too. */
export const signal = (runner: Runner, name: NodeJS.Signals): Effect.Effect<void> =>
  Effect.sync(() => void runner.process.kill(name))

/** Starts a runner that has ended, and waits until it has joined. */
export const rejoin = (runner: Runner): Effect.Effect<void> =>
  Effect.suspend(() => {
    ;(runner as Runner & { readonly again: () => void }).again()
    return Deferred.await(runner.joined)
  })

export const hasJoined = (runner: Runner): Effect.Effect<void> => Deferred.await(runner.joined)

export const hasEnded = (runner: Runner): Effect.Effect<void> => Deferred.await(runner.ended)
