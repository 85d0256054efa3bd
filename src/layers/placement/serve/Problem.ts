/**
 * A refusal as an answer over HTTP.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { Refused } from "../../../domain/placement/Refused.ts"

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
