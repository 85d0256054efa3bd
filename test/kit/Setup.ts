/** Runs before each file: a test that executes no assertion fails, since it cannot fail otherwise. */
import { afterEach, beforeEach } from "vitest"
import { count } from "./Assertions.ts"

const before = new WeakMap<object, number>()

beforeEach(({ task }) => {
  before.set(task, count())
})

afterEach(({ task }) => {
  if (task.result?.state === "fail" || count() !== before.get(task)) return
  throw new Error(`"${task.name}" executes no assertion`)
})
