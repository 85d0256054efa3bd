/**
 * Runs before each file: properties draw long sequences; a test that executes no assertion fails, since it cannot fail.
 */
import { Arbitrary } from "effect"
import { afterEach, beforeEach } from "vitest"
import { count } from "./Assertions.ts"

// effect's default is 10: no sequence of operations would have more.
Arbitrary.configureGlobal({ check: { size: 30 } })

const before = new WeakMap<object, number>()

beforeEach(({ task }) => {
  before.set(task, count())
})

afterEach(({ task }) => {
  if (task.result?.state === "fail" || count() !== before.get(task)) return
  throw new Error(`"${task.name}" executes no assertion`)
})
