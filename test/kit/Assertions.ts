/** How many assertions have been executed, of chai's kind and of vitest's: both end in the same method. */
import { expect } from "vitest"

interface Assertion {
  assert(...args: Array<unknown>): void
}

let executed = 0

const prototype: Assertion = Object.getPrototypeOf(expect(0))
const { assert } = prototype
prototype.assert = function(...args) {
  executed++
  return assert.apply(this, args)
}

export const count = (): number => executed
