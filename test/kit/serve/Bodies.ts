/**
 * Requests drawn at random, right ones and wrong ones, each with what has to come of it.
 *
 * What is right is decided here by hand, on the JSON, and not by the schemas of the messages.
 */
import type * as Draws from "../../../src/domain/testing/Draws.ts"
import type { Sent } from "./Web.ts"

/** What has to come of a request. */
export interface Expected {
  readonly status: number
  /** What reaches a handler: nothing, when it is wrong. */
  readonly handled: ReadonlyArray<readonly [tag: string, payload: unknown]>
  /** The key whose server there may be from then on. */
  readonly key: string | undefined
}

export interface Drawn {
  readonly what: string
  readonly path: string
  readonly sent: Sent
  readonly expected: Expected
}

/** In every text that is a value: no answer may repeat it. */
export const secret = "sesame"

const pick = <A>(draws: Draws.Draws, all: ReadonlyArray<A>): A => all[draws.below(all.length)]!

const amounts = [1, 2, 77, 1_000_000]
const notAmounts = [0, -1, 1.5, 1_000_001, Infinity, null, true, secret, `${secret}"`, [], [1], {}, { amount: 1 }, "1"]

const anyValue = (draws: Draws.Draws, depth: number): unknown => {
  if (depth > 0 && draws.chance(0.4)) {
    const items = Array.from({ length: draws.below(4) }, () => anyValue(draws, depth - 1))
    return draws.chance(0.5)
      ? items
      : Object.fromEntries(
        items.map((item) => [pick(draws, ["amount", "text", "labels", "key", "_tag", "then"]), item])
      )
  }
  return pick(draws, [...amounts, ...notAmounts, "", `${secret}\u0000`, -0, 1e-7])
}

type Json = { readonly [name: string]: unknown }

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const has = (value: unknown, ...names: ReadonlyArray<string>): value is Json =>
  isObject(value) && Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name))

const isAmount = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 1_000_000

const isTree = (value: unknown): boolean =>
  has(value, "below") && Array.isArray(value["below"]) && value["below"].every(isTree)

/** The messages that are sent: what is right, and a payload that is. */
const kinds = {
  Deposit: {
    status: 200,
    isRight: (value: unknown) => has(value, "amount") && isAmount(value["amount"]),
    draw: (draws: Draws.Draws): unknown => ({ amount: pick(draws, amounts) })
  },
  Balance: { status: 200, isRight: (value: unknown) => has(value), draw: (): unknown => ({}) },
  Note: {
    status: 202,
    isRight: (value: unknown) => has(value, "text") && typeof value["text"] === "string",
    draw: (draws: Draws.Draws): unknown => ({
      text: pick(draws, ["", secret, "\u0000\ud800", "{\"[", "x".repeat(3000)])
    })
  },
  Label: {
    status: 200,
    isRight: (value: unknown) =>
      has(value, "labels") && isObject(value["labels"]) &&
      Object.values(value["labels"]).every((one) => typeof one === "string"),
    draw: (draws: Draws.Draws): unknown => ({
      labels: JSON.parse(pick(draws, ["{}", "{\"a\":\"b\"}", "{\"__proto__\":\"x\",\"constructor\":\"y\"}"]))
    })
  },
  Grow: {
    status: 204,
    isRight: (value: unknown) => has(value, "tree") && isTree(value["tree"]),
    draw: (draws: Draws.Draws): unknown => {
      let tree: unknown = { below: [] }
      for (let i = draws.below(10); i > 0; i--) tree = { below: draws.chance(0.5) ? [tree] : [tree, { below: [] }] }
      return { tree }
    }
  }
} as const

type Tag = keyof typeof kinds

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** A body for a message, and how it was made. */
const drawBody = (draws: Draws.Draws, tag: Tag): readonly [what: string, body: string] => {
  const right = kinds[tag].draw(draws)
  const json = JSON.stringify(right)
  switch (draws.below(9)) {
    case 0:
      return ["cut off", json.slice(0, draws.below(json.length))]
    case 1:
      return ["one field too many", JSON.stringify({ ...right as Json, more: anyValue(draws, 2) })]
    case 2:
      return [
        "a prototype",
        json.replace("{", `{"__proto__":${JSON.stringify(anyValue(draws, 2))}${json === "{}" ? "" : ","}`)
      ]
    case 3: {
      const names = Object.keys(right as Json)
      return names.length === 0
        ? ["any value", JSON.stringify(anyValue(draws, 3)) ?? "null"]
        : ["a wrong value", JSON.stringify({ ...right as Json, [pick(draws, names)]: anyValue(draws, 3) })]
    }
    case 4:
      return ["any value", JSON.stringify(anyValue(draws, 4)) ?? "null"]
    case 5:
      return [
        "any text",
        Array.from({ length: draws.below(40) }, () => String.fromCharCode(draws.below(0x250))).join("")
      ]
    case 6: {
      const depth = 33 + draws.below(5000)
      return [
        "deep",
        pick(draws, ["[".repeat(depth), "[".repeat(depth) + "]".repeat(depth), "{\"tree\":".repeat(depth)])
      ]
    }
    case 7:
      return draws.chance(0.2) ? ["huge", JSON.stringify({ text: "x".repeat(70_000) })] : ["right", json]
    default:
      return ["right", json]
  }
}

const tags: ReadonlyArray<Tag> = ["Deposit", "Balance", "Note", "Label", "Grow"]
// To a router "deposit" is "Deposit"; to an Rpc it is not.
const strangers = ["Tick", "__proto__", "constructor", "toString", "Deposit2", "then", ""]
const rightKeys = ["ann", "Ann", "bob", "__proto__", "a b", "ü", "x".repeat(100)]
const wrongKeys = ["", "a\u0000b", "x".repeat(101), "a\nb"]

const nothing = (status: number): Expected => ({ status, handled: [], key: undefined })

const expectedOf = (tag: Tag, body: string, key: string | undefined, isKey: boolean): Expected => {
  if (body.length > 65_536) return nothing(413)
  const value = parsed(body)
  return isKey && kinds[tag].isRight(value)
    ? { status: kinds[tag].status, handled: [[tag, value]], key }
    : nothing(400)
}

/** A request to a route of the api. */
const drawApi = (draws: Draws.Draws): Drawn => {
  const isKeyed = draws.chance(0.5)
  const isKey = draws.chance(0.8)
  const key = isKeyed ? pick(draws, isKey ? rightKeys : wrongKeys) : undefined
  const base = key === undefined ? "/account" : `/accounts/${encodeURIComponent(key)}`
  const tag = pick(draws, tags)
  const [what, body] = drawBody(draws, tag)
  const headers = { "content-type": "application/json" }
  const one = (what: string, path: string, sent: Sent, expected: Expected): Drawn => ({ what, path, sent, expected })
  switch (draws.below(12)) {
    case 0:
      return one("a stranger", `${base}/${pick(draws, strangers)}`, { headers, body }, nothing(404))
    case 1: {
      const method = pick(draws, ["GET", "PUT", "PATCH", "DELETE"])
      const sent = method === "GET" ? { method } : { method, headers, body }
      // A key that is too long for a path is on none.
      return one(
        "another method",
        `${base}/${tag}`,
        sent,
        nothing(key !== undefined && key.length > 100 ? 404 : key === "" ? 404 : 405)
      )
    }
    case 2:
      return one(
        "not JSON",
        `${base}/${tag}`,
        { headers: { "content-type": "text/plain" }, body },
        nothing(key !== undefined && (key.length > 100 || key === "") ? 404 : 415)
      )
    default: {
      const found = expectedOf(tag, body, key, !isKeyed || isKey)
      return one(
        `${what} for ${tag}`,
        `${base}/${tag}`,
        { headers, body },
        key !== undefined && (key.length > 100 || key === "") ? nothing(404) : found
      )
    }
  }
}

/** A request in the protocol of effect's Rpc. */
const drawRpc = (draws: Draws.Draws): Drawn => {
  const isKeyed = draws.chance(0.5)
  const path = isKeyed ? "/keyed" : "/rpc"
  const headers = {
    "content-type": isKeyed ? "application/json" : pick(draws, ["application/x-ndjson", "application/json"])
  }
  const isKey = draws.chance(0.8)
  const key = isKeyed ? pick(draws, isKey ? rightKeys : wrongKeys) : undefined
  const tag = pick(draws, tags)
  const [what, body] = drawBody(draws, tag)
  const payload = parsed(body)
  const request = (tag: unknown, payload: unknown): Json => ({ _tag: "Request", id: "1", tag, payload, headers: [] })
  const carried = key === undefined ? payload : { key, payload }
  const send = (what: string, body: string, expected: Expected): Drawn => ({
    what: `${what} for ${tag}, by Rpc`,
    path,
    sent: { headers, body },
    expected: body.length > 65_536 ? nothing(413) : expected
  })
  const whole = JSON.stringify(request(tag, carried))
  switch (draws.below(8)) {
    case 0:
      return send(
        "a stranger",
        JSON.stringify(request(pick(draws, [...strangers, "deposit"]), carried)),
        nothing(what === "deep" && payload !== undefined ? 400 : 404)
      )
    case 1:
      return send("an envelope that is cut off", whole.slice(0, draws.below(whole.length)), nothing(400))
    case 2:
      return send(
        "no envelope",
        JSON.stringify(pick(draws, [[1, 2, 3], { _tag: secret }, 1, null, { ...request(tag, carried), id: {} }])),
        nothing(400)
      )
    case 3:
      // What is no JSON is no payload either: sent as it is, in its place.
      return payload === undefined && !body.startsWith("[")
        ? send(what, `{"_tag":"Request","id":"1","tag":"${tag}","payload":${body},"headers":[]}`, nothing(400))
        : send(what, whole, expectedRpc(tag, payload, key, !isKeyed || isKey))
    default:
      return send(what, whole, expectedRpc(tag, payload, key, !isKeyed || isKey))
  }
}

const expectedRpc = (tag: Tag, payload: unknown, key: string | undefined, isKey: boolean): Expected =>
  isKey && kinds[tag].isRight(payload) ? { status: 200, handled: [[tag, payload]], key } : nothing(400)

/** What is no UTF-8: a byte that never is, a start or an end alone, a detour, half a pair, and beyond the last one. */
export const noText = [[0xff], [0xe2, 0x82], [0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]

/** Bytes with others in place of each `?`. */
export const withBytes = (text: string, bytes: ReadonlyArray<number>): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([...new TextEncoder().encode(text)].flatMap((one) => one === 0x3f ? bytes : [one]))

/** A right request whose bytes are not the text that it would be: no UTF-8, or what its headers say. */
const drawBytes = (draws: Draws.Draws): Drawn => {
  const [path, body] = pick(draws, [
    ["/account/Note", "{\"text\":\"?\"}"],
    ["/rpc", "{\"_tag\":\"Request\",\"id\":\"1\",\"tag\":\"Note\",\"payload\":{\"text\":\"?\"},\"headers\":[]}"]
  ])
  const type = { "content-type": "application/json" }
  const one = (what: string, sent: Sent, status: number): Drawn => ({ what, path, sent, expected: nothing(status) })
  return draws.chance(0.5)
    ? one("no UTF-8", { headers: type, body: withBytes(body, pick(draws, noText)) }, 400)
    : one("encoded", { headers: { ...type, ...pick(draws, encoded) }, body }, 415)
}

/** What headers say of a body that is not read as it is. */
export const encoded = [
  { "content-encoding": "gzip" },
  { "content-encoding": "identity, br" },
  { "content-type": "application/json; charset=iso-8859-1" },
  { "content-type": "application/json;charset=\"UTF-16\"" }
]

/** A request to anything that is served. */
export const draw = (draws: Draws.Draws): Drawn =>
  draws.chance(0.1) ? drawBytes(draws) : draws.chance(0.5) ? drawApi(draws) : drawRpc(draws)
