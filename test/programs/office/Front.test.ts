import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { Front } from "../../../src/programs/office/Front.ts"

describe("the front", () => {
  it.live("answers from the moment on at which it listens: it is alive, and not ready before the servers are up", () =>
    Effect.gen(function*() {
      const { url } = yield* Front
      const get = Effect.fnUntraced(function*(path: string) {
        const response = yield* HttpClient.get(url + path)
        return [response.status, yield* response.text]
      })
      assert.deepStrictEqual(yield* get("/health/live"), [200, "live\n"])
      assert.deepStrictEqual(yield* get("/health/ready"), [503, "starting\n"])
      assert.deepStrictEqual(yield* get("/customers/ann"), [503, "{\"_tag\":\"Unavailable\",\"why\":\"Starting\"}"])
      assert.deepStrictEqual(yield* get("/nowhere"), [404, ""])
    }).pipe(
      Effect.provide([Front.layer({ host: "127.0.0.1", port: 0, linger: Duration.zero }), FetchHttpClient.layer])
    ))
})
