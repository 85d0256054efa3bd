/** Who is let in. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { foreign, isAuthorised, isEqual } from "../../../src/domain/observer/Access.ts"

const request = (host: string | undefined, origin?: string, authorization?: string) => ({ host, origin, authorization })

describe("a request", () => {
  it.each([
    [request("127.0.0.1:4980")],
    [request("localhost:4980", "http://localhost:4980")],
    [request("[::1]:4980", "http://[::1]:4980")],
    [request("LOCALHOST:4980", "http://localhost:4980")],
    [request("ops.example:4980", "https://ops.example:4980")]
  ])("is let in: %o", (given) => {
    assert.isUndefined(foreign(given, ["ops.example:4980"]))
  })

  it.each([
    [request(undefined)],
    [request("evil.example")],
    [request("localhost.evil.example:4980")],
    [request("127.0.0.1.evil.example")],
    [request("ops.example:4981")],
    [request("127.0.0.1:4980", "http://evil.example")],
    [request("127.0.0.1:4980", "http://localhost:4980")],
    [request("127.0.0.1:4980", "http://127.0.0.1:4981")],
    [request("127.0.0.1:4980", "http://127.0.0.1:4980.evil.example")],
    [request("127.0.0.1:4980", "null")]
  ])("is refused: %o", (given) => {
    assert.isString(foreign(given, ["ops.example:4980"]))
  })

  it("is refused with the Host, or the Origin, that it is refused for", () => {
    assert.match(foreign(request("evil.example"), [])!, /^Host evil\.example is not one/)
    assert.match(foreign({ ...request("x"), host: undefined }, [])!, /^Host \(none\) is not one/)
    assert.match(
      foreign(request("127.0.0.1:1", "http://a.example"), [])!,
      /^Origin http:\/\/a\.example is another page/
    )
  })

  it("has the token that is wanted, or is not authorised", () => {
    assert.isTrue(isAuthorised(request("x"), undefined))
    assert.isTrue(isAuthorised(request("x", undefined, "Bearer secret"), "secret"))
    for (
      const authorization of [
        undefined,
        "",
        "secret",
        "Bearer",
        "Bearer ",
        "Bearer secre",
        "Bearer secret2",
        "Basic secret"
      ]
    ) {
      assert.isFalse(isAuthorised(request("x", undefined, authorization), "secret"), authorization)
    }
  })

  it.prop("has a token that is compared as a whole", [Schema.String, Schema.String], ([a, b]) => {
    assert.strictEqual(isEqual(a, b), a === b)
    assert.isTrue(isEqual(a, a))
  })
})
