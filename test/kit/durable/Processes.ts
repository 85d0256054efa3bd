/** Real processes, killed at any moment. */
import { Deferred, Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { environment } from "../Bundle.ts"

/** How a process ended: its exit code, or the signal that killed it. */
export type End = number | string

/** A running process, and the lines that it printed. */
export interface Running {
  /** Complete lines of its standard output so far. */
  readonly lines: ReadonlyArray<string>
  /** Its standard error so far. */
  readonly errors: () => string
  /** Completes when it has printed so many lines that begin with `prefix`, or has ended. */
  readonly printed: (prefix: string, count?: number) => Effect.Effect<void>
  /** Completes when its standard error contains `text`, or it has ended. */
  readonly warned: (text: string) => Effect.Effect<void>
  /** Kills it (SIGKILL), and completes when it has ended and all it printed was read. */
  readonly kill: Effect.Effect<End>
  /** Writes a line to its standard input. */
  readonly say: (line: string) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Asks it to end (SIGTERM). */
  readonly terminate: Effect.Effect<void>
  readonly ended: Effect.Effect<End>
}

/** Starts a process; it is killed with the Scope, if it still runs. */
export const start = (program: string, args: ReadonlyArray<string>): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const child = spawn(process.execPath, [program, ...args], {
        env: environment,
        stdio: ["pipe", "pipe", "pipe"]
      })
      // It may have ended.
      child.stdin.on("error", () => {})
      const end = Deferred.makeUnsafe<End>()
      const lines: Array<string> = []
      const waiting = new Set<() => void>()
      const output = new TextDecoder()
      let errors = ""
      let rest = ""
      let ended = false
      const wake = () => {
        for (const check of waiting) check()
      }
      child.stdout.on("data", (chunk: Uint8Array) => {
        const complete = (rest + output.decode(chunk, { stream: true })).split("\n")
        rest = complete.pop() ?? ""
        for (const line of complete) lines.push(line)
        wake()
      })
      child.stderr.on("data", (chunk: Uint8Array) => {
        errors += new TextDecoder().decode(chunk)
        wake()
      })
      child.on("close", (code, signal) => {
        ended = true
        Deferred.doneUnsafe(end, Effect.succeed(signal ?? code ?? -1))
        wake()
      })
      const until = (isSo: () => boolean): Effect.Effect<void> =>
        Effect.callback<void>((resume) => {
          const check = () => {
            if (!isSo() && !ended) return
            waiting.delete(check)
            resume(Effect.void)
          }
          waiting.add(check)
          check()
          return Effect.sync(() => waiting.delete(check))
        })
      return {
        lines,
        errors: () => errors,
        printed: (prefix, count = 1) =>
          Effect.suspend(() => {
            let at = 0
            let found = 0
            return until(() => {
              while (at < lines.length && found < count) if (lines[at++]!.startsWith(prefix)) found++
              return found === count
            })
          }),
        warned: (text) => until(() => errors.includes(text)),
        kill: Effect.suspend(() => {
          child.kill("SIGKILL")
          return Deferred.await(end)
        }),
        say: (line) => Effect.sync(() => void child.stdin.write(`${line}\n`)),
        signal: (signal) => Effect.sync(() => void child.kill(signal)),
        terminate: Effect.sync(() => void child.kill("SIGTERM")),
        ended: Deferred.await(end)
      }
    }),
    (running) => running.kill
  )
