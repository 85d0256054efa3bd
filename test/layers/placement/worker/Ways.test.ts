/** The ways in which a program may be run that has an entry. What `tsc` makes of one is in `test/Package.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { build } from "../../../kit/Bundle.ts"
import { folder } from "../../../kit/Folder.ts"
import { node, type Ran } from "../../../kit/RunProgram.ts"

const app = "test/kit/worker/App.ts"
const primes = "test/kit/worker/Primes.ts"
const both = ["thread", "process"]

const found = (ran: Ran, places: number) => {
  assert.strictEqual(ran.code, 0, ran.stderr)
  const one = { found: [2, 3, 5], isElsewhere: true }
  assert.deepStrictEqual(JSON.parse(ran.stdout), Array.from({ length: places }, () => one))
}

// From sources it loads twice: some seconds, and many on a busy machine.
describe("a program with an entry runs", { timeout: 180_000 }, () => {
  it.live("under tsx", () => Effect.map(node(["--import", "tsx", app, "thread"]), (ran) => found(ran, 1)))

  it.live("under a Node that strips types", () => Effect.map(node([app, "process"]), (ran) => found(ran, 1)))

  it.live("bundled, the entry apart", () =>
    Effect.gen(function*() {
      const place = yield* folder
      build([app, primes], place, {})
      found(yield* node([join(place, "App.mjs"), ...both]), 2)
    }))

  it.live("as one bundle, whose program does not begin in a thread", () =>
    Effect.gen(function*() {
      const place = yield* folder
      build([app], place, { splitting: false })
      found(yield* node([join(place, "App.mjs"), "thread"]), 1)
    }))
})
