/**
 * A refusal as an answer over HTTP.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { type HttpRouter, HttpServerResponse } from "effect/http"
import { Refused, refused } from "../../../domain/placement/Refused.ts"

/** A refusal as JSON. */
export const encodeRefused: (refused: Refused) => typeof Refused.Encoded = Schema.encodeSync(Refused)

/** A refusal as a problem document. */
export const problem = (
  refused: Refused,
  headers: { readonly [name: string]: string } = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(encodeRefused(refused), {
    status: refused.status,
    contentType: "application/problem+json",
    headers: refused.retryAfter === undefined ? headers : { ...headers, "retry-after": `${refused.retryAfter}` }
  })

/** The methods that a path may be asked with. */
export const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

/** Answers the methods that a path does not have with those that it has. */
export const otherMethods = (
  router: HttpRouter.HttpRouter,
  path: HttpRouter.PathInput,
  has: ReadonlyArray<string>
): Effect.Effect<void> => {
  const allow = has.join(", ")
  const answer = problem(refused(405, { detail: `This takes ${allow}.` }), { allow })
  return Effect.forEach(
    methods.filter((method) => !has.includes(method)),
    (method) => router.add(method, path, answer),
    {
      discard: true
    }
  )
}
