import { assert, describe, it } from "@effect/vitest"
import { isOverwritten, lossOf } from "../../../../src/domain/state/stored/FileLoss.ts"

const expected = { dev: 1n, ino: 2n, least: 10, most: 20 }
const found = { dev: 1n, ino: 2n, size: 10 }

describe("FileLoss", () => {
  it("a file of the same number on the same device, of a size it can have, is the one in use", () => {
    for (const size of [10, 15, 20]) assert.isUndefined(lossOf(expected, { ...found, size }, undefined))
    const none = { ...expected, ino: undefined }
    assert.isUndefined(lossOf(none, { ...found, ino: undefined }, undefined))
  })

  it("one that is not there was moved if it has a name elsewhere, as far as that is known", () => {
    assert.strictEqual(lossOf(expected, undefined, undefined), "missing")
    assert.strictEqual(lossOf(expected, undefined, 0n), "missing")
    assert.strictEqual(lossOf(expected, undefined, 1n), "moved")
  })

  it("another number or device is another file, whatever its size; too few bytes were cut, too many are not its own", () => {
    assert.strictEqual(lossOf(expected, { ...found, ino: 3n, size: 1 }, undefined), "replaced")
    assert.strictEqual(lossOf(expected, { ...found, dev: 3n, size: 99 }, undefined), "replaced")
    assert.strictEqual(lossOf(expected, { ...found, size: 9 }, undefined), "cut")
    assert.strictEqual(lossOf(expected, { ...found, size: 21 }, undefined), "changed")
  })

  it("a database file was overwritten if it was changed and no checkpoint has gone on since", () => {
    const before = { changedAt: 5, log: 1, copied: 7 }
    assert.isTrue(isOverwritten(before, { ...before, changedAt: 6 }))
    assert.isFalse(isOverwritten(before, before))
    assert.isFalse(isOverwritten(before, { ...before, changedAt: 6, log: 2 }))
    assert.isTrue(isOverwritten({ ...before, log: undefined }, { ...before, changedAt: 6 }))
    assert.isFalse(isOverwritten(before, { ...before, changedAt: 6, copied: 8 }))
  })
})
