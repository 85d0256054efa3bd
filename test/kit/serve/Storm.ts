/** Sends random requests, and looks at what comes of each. */
import { Effect } from "effect"
import * as Draws from "../../../src/domain/testing/Draws.ts"
import { draw, secret } from "./Bodies.ts"
import { Web } from "./Web.ts"

/** Anything that only an inside has: a place in a source, a path, the words of an error. */
const inside = /\bat .*:\d+:\d+|node_modules|\.[cm]?[jt]s\b|file:\/\/|\/(?:work|home|tmp|usr)\/|Error\b|stack/

export interface Tally {
  readonly byStatus: { readonly [status: string]: number }
  readonly wrong: ReadonlyArray<string>
}

/** Sends so many, one after the other; what is wrong is in words. */
export const storm = Effect.fnUntraced(function*(seed: number, count: number) {
  const { handled, keys, send } = yield* Web
  const draws = Draws.make(seed)
  const byStatus: Record<string, number> = {}
  const wrong: Array<string> = []
  const known = new Set(yield* keys)
  for (let i = 0; i < count; i++) {
    const { expected, path, sent, what } = draw(draws)
    const { headers, status, text } = yield* send(path, sent)
    // A cast is taken before it is handled.
    for (let turn = 0; turn < 10 && handled.all.length < expected.handled.length; turn++) yield* Effect.sleep(1)
    const reached = handled.take()
    byStatus[status] = (byStatus[status] ?? 0) + 1
    const complain = (why: string) =>
      wrong.push(
        `${i}: ${what}: ${why}: ${path} ${JSON.stringify(sent).slice(0, 300)} was answered ${status} ${
          text.slice(0, 300)
        }`
      )
    if (status !== expected.status) complain(`not ${expected.status}`)
    if (JSON.stringify(reached) !== JSON.stringify(expected.handled)) complain(`reached ${JSON.stringify(reached)}`)
    if (inside.test(text)) complain("says what only the inside knows")
    if (text.includes(secret)) complain("repeats what was sent")
    if (status >= 400 && !/"_tag":"Refused"/.test(text)) complain("is no refusal")
    if (
      status >= 400 && !path.startsWith("/rpc") && !path.startsWith("/keyed") &&
      headers.get("content-type") !== "application/problem+json"
    ) {
      complain("is no problem document")
    }
    if (expected.key !== undefined) known.add(expected.key)
  }
  const left = (yield* keys).filter((key) => !known.has(key))
  if (left.length > 0) wrong.push(`servers were left behind: ${JSON.stringify(left)}`)
  return { byStatus, wrong } satisfies Tally
})
