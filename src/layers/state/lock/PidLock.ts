/**
 * A lock for a Node without SQLite: a file that says which process has it, and is worth nothing once that is gone.
 *
 * A process is known by its id, and on Linux by when it was started, since ids are used again. Of a process on another
 * host, or in another container, it cannot be known whether it lives: it counts as gone, so it does not keep a second
 * one out. Two that start in the same moment may both get it. In either case the fence decides, as it does with
 * `ownership: "youngest"`.
 *
 * @since 0.1.0
 */
import { Effect, type Scope } from "effect"
import * as fs from "node:fs"
import type { Holder } from "../../../domain/state/stored/Ownership.ts"
import { isThere } from "./Pid.ts"
import { self } from "./Self.ts"

interface Entry extends Required<Holder> {
  /** When it was started, in the kernel's own ticks; empty where that is not to be seen. */
  readonly started: string
}

/** Those that this process has. */
const own = new Set<string>()

const attempt = <A>(f: () => A): A | undefined => {
  try {
    return f()
  } catch {
    return undefined
  }
}

/** The 22nd field; the second, in brackets, may hold anything. */
const startOf = (pid: number): string =>
  attempt(() => fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ")[19]) ?? ""

const entryAt = (path: string): Entry | undefined => {
  const found: unknown = attempt(() => JSON.parse(fs.readFileSync(path, "utf8")))
  const { host, pid, since, started }: Partial<Record<keyof Entry, unknown>> = Object(found)
  return Number.isSafeInteger(pid)
    ? { pid: Number(pid), host: String(host), since: String(since), started: String(started) }
    : undefined
}

const isAlive = (entry: Entry, path: string, me: Required<Holder>): boolean => {
  if (entry.host !== me.host) return false
  // The first process of a container has the same id each time.
  if (entry.pid === me.pid) return own.has(path)
  return isThere(entry.pid) && (entry.started === "" || entry.started === startOf(entry.pid))
}

/** Takes the lock at a path until the Scope ends; or answers at once who has it. */
export const take = Effect.fnUntraced(function*(
  path: string
): Effect.fn.Return<Holder | undefined, unknown, Scope.Scope> {
  const me = yield* self
  const entry = entryAt(path)
  if (entry !== undefined && isAlive(entry, path, me)) return { pid: entry.pid, host: entry.host, since: entry.since }
  const mine: Entry = { ...me, started: startOf(me.pid) }
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        fs.writeFileSync(`${path}.${me.pid}`, JSON.stringify(mine))
        fs.renameSync(`${path}.${me.pid}`, path)
        own.add(path)
      },
      catch: (error) => error
    }),
    () =>
      Effect.sync(() => {
        own.delete(path)
        if (entryAt(path)?.pid === me.pid) fs.rmSync(path, { force: true })
      })
  )
  return undefined
})
