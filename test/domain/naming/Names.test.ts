import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Names from "../../../src/domain/naming/Names.ts"

const holder = (owner: string, value: number): Names.Holder<string, number> => ({ owner, value })

const Step = Schema.Struct({
  what: Schema.Literals(["claim", "release", "releaseEven"]),
  owner: Schema.Literals(["a", "b", "c"]),
  value: Schema.Literals([1, 2, 3])
})

const isEven = ({ value }: Names.Holder<string, number>) => value % 2 === 0

const run = (keys: Names.Keys, steps: ReadonlyArray<typeof Step.Type>) => {
  let holders: ReadonlyArray<Names.Holder<string, number>> = []
  for (const { owner, value, what } of steps) {
    if (what === "claim") holders = Result.getOrElse(Names.claim(keys, holders, holder(owner, value)), () => holders)
    else holders = Names.release(holders, owner, what === "release" ? undefined : isEven).kept
  }
  return holders
}

describe("the rules of a registry", () => {
  it("a free unique key goes to who claims it", () => {
    assert.deepStrictEqual(Names.claim("unique", [], holder("a", 1)), Result.succeed([holder("a", 1)]))
  })

  it("a held unique key is refused with its holder, to the holder too", () => {
    const held = [holder("a", 1)]
    assert.deepStrictEqual(Names.claim("unique", held, holder("b", 2)), Result.fail(holder("a", 1)))
    assert.deepStrictEqual(Names.claim("unique", held, holder("a", 2)), Result.fail(holder("a", 1)))
  })

  it("a duplicate key takes everybody, in order, one owner several times", () => {
    const two = Result.getOrThrow(Names.claim("duplicate", [holder("a", 1)], holder("a", 1)))
    assert.deepStrictEqual(Names.claim("duplicate", two, holder("b", 3)), Result.succeed([...two, holder("b", 3)]))
  })

  it("a release takes what the owner holds there and nothing else", () => {
    assert.deepStrictEqual(Names.release([holder("a", 1), holder("b", 2), holder("a", 3)], "a"), {
      kept: [holder("b", 2)],
      released: [holder("a", 1), holder("a", 3)]
    })
  })

  it("a release by value takes those that match", () => {
    assert.deepStrictEqual(Names.release([holder("a", 1), holder("a", 2), holder("b", 2)], "a", isEven), {
      kept: [holder("a", 1), holder("b", 2)],
      released: [holder("a", 2)]
    })
  })

  it.prop("a unique key never has two holders", [Schema.Array(Step)], ([steps]) => {
    assert.isAtMost(run("unique", steps).length, 1)
  })

  it.prop("a release keeps and takes each holder once", [Schema.Array(Step), Schema.Literals(["a", "b", "c"])], ([
    steps,
    owner
  ]) => {
    const holders = run("duplicate", steps)
    const { kept, released } = Names.release(holders, owner)
    assert.isTrue(released.every((other) => other.owner === owner))
    assert.isTrue(kept.every((other) => other.owner !== owner))
    assert.strictEqual(kept.length + released.length, holders.length)
  })
})
