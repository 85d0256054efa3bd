/** How damage of a log is told. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Damage } from "../../../../src/layers/state/file/LogDirectory.ts"
import { reporting } from "../../../../src/layers/state/file/LogRead.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { folder } from "../../../kit/Folder.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { record } from "../../../kit/stores/Records.ts"

const damages: ReadonlyArray<readonly [level: string, damage: Damage]> = [
  ["Warn", { _tag: "TornTail", file: "1.log", at: 7, bytes: 3 }],
  ["Warn", { _tag: "Hole", file: "1.log", at: 7, bytes: 3 }],
  ["Error", { _tag: "Unusable", file: "1.log", why: "it is missing" }],
  ["Error", { _tag: "Lost", key: "a", seq: 2, from: 1, why: "it rotted" }],
  ["Error", { _tag: "AnswersLost", key: "a", count: 1, why: "it rotted" }]
]

describe("the damage of a log", () => {
  it.effect("is an error where something acknowledged may be lost, and a warning otherwise; it is told once", () => {
    const log = recordedLog()
    return Effect.gen(function*() {
      const report = reporting("files", undefined)
      for (const [, damage] of [...damages, ...damages]) yield* report(damage)
      assert.deepStrictEqual(log.lines.map(({ level }) => level), damages.map(([level]) => level))
    }).pipe(Effect.provide(log.layer))
  })
})

describe("a log that is only looked at", () => {
  it.live("has its damage told to the one who looks, but not an end that its owner may be writing", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* StateStoreFile.make({ directory })
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch, { state: `"state ${seq}"` })])
      }))
      const told = Effect.gen(function*() {
        const damages: Array<Damage> = []
        const view = yield* StateStoreFile.look({
          directory,
          onDamage: (damage) => Effect.sync(() => void damages.push(damage))
        })
        yield* view.load("a")
        return damages.map(({ _tag }) => _tag)
      })
      assert.deepStrictEqual(yield* told, [])
      const path = join(directory, fs.readdirSync(directory).find((name) => name.endsWith(".log"))!)
      fs.appendFileSync(path, "torn")
      assert.deepStrictEqual(yield* told, [])
      const bytes = fs.readFileSync(path)
      bytes[bytes.indexOf("state 2") + 6]! ^= 1
      fs.writeFileSync(path, bytes)
      assert.include(yield* told, "Hole")
    }).pipe(Effect.provide(NodeServices.layer)))
})
