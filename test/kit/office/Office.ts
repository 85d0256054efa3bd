/** Ticket offices in processes of their own, and the clients that they have. */
import { Deferred, Effect, type Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { join } from "node:path"
import { Api } from "../../../src/programs/office/Api.ts"
import { bundle } from "../Bundle.ts"
import { type Running, start } from "../durable/Processes.ts"
import { folder } from "../Folder.ts"

/** A store that is there as long as the Scope. */
export const place = Effect.map(folder, (directory) => `sqlite:${join(directory, "office.db")}`)

const main = () => bundle("src/programs/main.ts")

/** Runs the office, as `npm start -- office` does, until it is open or has ended. */
export const run = Effect.fnUntraced(
  function*(args: ReadonlyArray<string>): Effect.fn.Return<Running, never, Scope.Scope> {
    const running = yield* start(main(), ["office", ...args])
    yield* running.printed("  metrics ")
    return running
  }
)

const clientOf = (baseUrl: string) => HttpApiClient.make(Api, { baseUrl }).pipe(Effect.provide(FetchHttpClient.layer))

/** An office that is open. */
export interface Office extends Running {
  readonly url: string
  readonly api: Effect.Success<ReturnType<typeof clientOf>>
}

/** Opens an office on a port that is free. */
export const open = Effect.fnUntraced(function*(
  store: string,
  ...args: ReadonlyArray<string>
): Effect.fn.Return<Office, never, Scope.Scope> {
  const running = yield* run(["--port", "0", "--store", store, ...args])
  const url = /^office is open on (\S+),/.exec(running.lines.find((line) => line.startsWith("office is open on")) ?? "")
    ?.[1]
  if (url === undefined) {
    return yield* Effect.die(new Error(`it did not open: ${running.lines.join("\n")}${running.errors()}`))
  }
  return { ...running, url, api: yield* clientOf(url) }
})

/** The offices of one store, one after the other: who does not reach one waits for the next. */
export class Offices {
  current: Office
  private next = Deferred.makeUnsafe<void>()

  constructor(first: Office) {
    this.current = first
  }

  open(office: Office): void {
    const { next } = this
    this.current = office
    this.next = Deferred.makeUnsafe()
    Deferred.doneUnsafe(next, Effect.void)
  }

  /** Completes when there is another office than this one. */
  after(office: Office): Effect.Effect<void> {
    return Effect.suspend(() => this.current === office ? Deferred.await(this.next) : Effect.void)
  }
}
