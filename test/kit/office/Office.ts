/** Ticket offices in processes of their own, and the clients that they have. */
import { Deferred, Effect, type Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http"
import { join } from "node:path"
import { Api } from "../../../src/programs/office/Api.ts"
import { bundle } from "../Bundle.ts"
import { type Running, start } from "../durable/Processes.ts"
import { folder } from "../Folder.ts"

/** A store that is there as long as the Scope. */
export const place = Effect.map(folder, (directory) => `sqlite:${join(directory, "office.db")}`)

/** Runs the office, as `npm start -- office` does without the other programs, until it is open or has ended. */
export const run = Effect.fnUntraced(
  function*(args: ReadonlyArray<string>): Effect.fn.Return<Running, never, Scope.Scope> {
    const running = yield* start(bundle("src/programs/office.ts"), args)
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

/** What is sent, as it is, right or wrong. */
export interface Raw {
  readonly method?: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

/** Sends a request as it is given, and completes with the answer. */
export const send = (office: Office, raw: Raw): Effect.Effect<Answer> =>
  Effect.callback<Answer>((resume) => void asked(office, raw, resume).end(raw.body))

/** Sends the head of a request; completes when the office has taken it and asks for the rest, which `finish` sends. */
export const sendSlowly = (office: Office, raw: Raw): Effect.Effect<{ readonly finish: Effect.Effect<Answer> }> =>
  Effect.callback((resume) => {
    const answer = Deferred.makeUnsafe<Answer>()
    const sent = asked(
      office,
      { ...raw, headers: { ...raw.headers, expect: "100-continue" } },
      (exit) => Deferred.doneUnsafe(answer, exit)
    )
    sent.on("continue", () =>
      resume(Effect.succeed({
        finish: Effect.suspend(() => {
          sent.end(raw.body)
          return Deferred.await(answer)
        })
      })))
    sent.flushHeaders()
  })

const asked = (
  { url }: Office,
  { headers = {}, method = "GET", path }: Raw,
  resume: (answer: Effect.Effect<Answer>) => void
) => {
  const sent = request(url + path, { method, headers, agent: false }, (response) => {
    let text = ""
    response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk))
    response.on(
      "end",
      () => resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
    )
  })
  return sent.on("error", (error) => resume(Effect.die(error)))
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

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
