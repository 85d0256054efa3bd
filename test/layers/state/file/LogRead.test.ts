/** How damage of a log is told. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Damage } from "../../../../src/layers/state/file/LogDirectory.ts"
import { reporting } from "../../../../src/layers/state/file/LogRead.ts"
import { recordedLog } from "../../../kit/Log.ts"

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
