import { assert, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, killed, normal } from "../../../src/domain/process/ExitReason.ts"
import { expect, isUnexpected } from "../../../src/domain/testing/ExpectedCrashes.ts"

it("a crash that a test has announced is used up by the next crash of its process, and by nothing else", () => {
  const expected = new Map<string, number>()
  const ended = (name: string, reason = crashed(Cause.die("boom"))) =>
    isUnexpected(expected, { _tag: "Exited", path: ["app", name], at: 0, kind: "worker", incarnation: 1, reason })
  assert.isTrue(ended("a"))
  expect(expected, "app > a", 1)
  expect(expected, "app > a", 2)
  expect(expected, "app > b", 1)
  assert.isFalse(ended("a", normal))
  assert.deepStrictEqual([ended("a"), ended("a", killed), ended("a"), ended("a")], [false, false, false, true])
  assert.deepStrictEqual([ended("b"), ended("b"), ended("c")], [false, true, true])
})
