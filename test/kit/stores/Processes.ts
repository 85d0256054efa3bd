/** Writers as processes of their own, and the lines that they printed. */
import { Deferred, Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { bundle, environment } from "../Bundle.ts"

/** A running writer. */
export interface Writer {
  /** The lines that it has printed so far. */
  readonly lines: ReadonlyArray<string>
  readonly kill: Effect.Effect<void>
  /** Completes when it has printed `count` lines that begin with `prefix`; fails when it ends before. */
  readonly printed: (prefix: string, count?: number) => Effect.Effect<void, Error>
  /** Completes when it has ended. */
  readonly ended: Effect.Effect<void>
}

/** Numbers printed after `word`. */
export const numbers = (writer: Writer, word: "loaded" | "acked"): ReadonlyArray<number> =>
  writer.lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)))

/** The last number it acknowledged, or what it had found. */
export const last = (writer: Writer): number => numbers(writer, "acked").at(-1) ?? numbers(writer, "loaded").at(-1) ?? 0

/** The lines about failures. */
export const failures = (writer: Writer): ReadonlyArray<string> =>
  writer.lines.filter((line) => line.startsWith("failed"))

/**
 * Starts a writer; `shell` is run before it in the same shell (for limits). It is killed with the Scope.
 */
export const start = Effect.fnUntraced(function*(
  args: ReadonlyArray<string>,
  shell?: string
): Effect.fn.Return<Writer, never, Scope.Scope> {
  const command = [process.execPath, bundle("test/kit/stores/Writer.ts"), ...args]
  const child = shell === undefined
    ? spawn(command[0]!, command.slice(1), { env: environment, stdio: ["ignore", "pipe", "pipe"] })
    : spawn("sh", ["-c", `${shell}; exec "$0" "$@"`, ...command], {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"]
    })
  const lines: Array<string> = []
  const waiting = new Set<() => void>()
  const end = Deferred.makeUnsafe<void>()
  let ended = false
  let text = ""
  let errors = ""
  const wake = () => {
    for (const check of waiting) check()
  }
  child.stdout.on("data", (chunk: Uint8Array) => {
    text += new TextDecoder().decode(chunk)
    const complete = text.split("\n")
    text = complete.pop() ?? ""
    lines.push(...complete)
    wake()
  })
  child.stderr.on("data", (chunk: Uint8Array) => {
    errors += new TextDecoder().decode(chunk)
  })
  child.on("close", () => {
    ended = true
    Deferred.doneUnsafe(end, Effect.void)
    wake()
  })
  const writer: Writer = {
    lines,
    kill: Effect.andThen(Effect.sync(() => child.kill("SIGKILL")), Deferred.await(end)),
    ended: Deferred.await(end),
    printed: (prefix, count = 1) =>
      Effect.callback<void, Error>((resume) => {
        const check = () => {
          if (lines.filter((line) => line.startsWith(prefix)).length >= count) resume(Effect.void)
          else if (ended) {
            resume(
              Effect.fail(new Error(`ended before "${prefix}" (${count}): ${lines.slice(-3).join("; ")} ${errors}`))
            )
          } else return
          waiting.delete(check)
        }
        waiting.add(check)
        check()
      })
  }
  yield* Effect.addFinalizer(() => Effect.suspend(() => ended ? Effect.void : writer.kill))
  return writer
})
