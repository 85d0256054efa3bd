/** Runs a program in a process of its own. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { bundle, environment } from "./Bundle.ts"

/** What a program printed, and how it ended. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const repository = resolve(import.meta.dirname, "../..")

/** The path of something in the repository. */
export const inRepository = (path: string): string => resolve(repository, path)

/** Runs Node with arguments and, on standard input, `input`. */
export const node = (args: ReadonlyArray<string>, input = ""): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    const child = execFile(
      process.execPath,
      args,
      { cwd: repository, env: environment, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) =>
        resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
    )
    child.stdin?.end(input)
    return Effect.sync(() => void child.kill())
  })

/** Runs `src/programs/NAME.ts`, bundled, with arguments and, on standard input, `input`. */
export const run = (name: string, args: ReadonlyArray<string> = [], input = ""): Effect.Effect<Ran> =>
  Effect.suspend(() => node([bundle(`src/programs/${name}.ts`), ...args], input))

/** Runs it from its sources, through tsx, as `npm start` does. */
export const runSource = (name: string, args: ReadonlyArray<string> = [], input = ""): Effect.Effect<Ran> =>
  node(["--import", "tsx", `src/programs/${name}.ts`, ...args], input)
