/**
 * Runs a program as a user does: a process of its own, through tsx.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { resolve } from "node:path"

/** What a program printed, and how it ended. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const repository = resolve(import.meta.dirname, "../..")

/** The path of something in the repository. */
export const inRepository = (path: string): string => resolve(repository, path)

/** Runs `src/programs/NAME.ts` with arguments and, on standard input, `input`. */
export const run = (name: string, args: ReadonlyArray<string> = [], input = ""): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", `src/programs/${name}.ts`, ...args],
      { cwd: repository, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) =>
        resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
    )
    child.stdin?.end(input)
    return Effect.sync(() => void child.kill())
  })
