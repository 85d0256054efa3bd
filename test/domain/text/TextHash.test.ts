import { assert, it } from "@effect/vitest"
import { hashOf } from "../../../src/domain/text/TextHash.ts"

it("the hashes of keys that are counted on in digits and letters differ", () => {
  for (const head of ["", "user/", "heirloom:6:1x9k2.", "日"]) {
    const hashes = new Set(Array.from({ length: 50_000 }, (_, i) => hashOf(head + i.toString(36))))
    // Of numbers that are drawn, one in 50,000 or so would agree with another one.
    assert.isAtLeast(hashes.size, 49_995)
  }
})

it("a hash is a number that V8 keeps without an object", () => {
  for (let i = 0; i < 1000; i++) {
    const hash = hashOf(`key ${i}`)
    assert.isTrue(Number.isInteger(hash) && hash >= -(2 ** 30) && hash < 2 ** 30)
  }
})
