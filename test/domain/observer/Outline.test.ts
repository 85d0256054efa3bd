/** The window of an outline is that part of the whole outline, and costs what it shows. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isOpen, lines, smallBranch, type Tree } from "../../../src/domain/observer/Outline.ts"

interface Node {
  readonly n: number
  readonly below?: ReadonlyArray<Node>
}

const treeOf = (asked: Array<number> = []): Tree<Node> => ({
  number: ({ n }) => n,
  below: ({ below, n }) => {
    asked.push(n)
    return below && {
      size: below.length,
      hasBranches: below.some((one) => one.below !== undefined),
      slice: (from, count) => below.slice(from, from + count)
    }
  }
})

type Shape = number | ReadonlyArray<Shape>
const Shape: Schema.Codec<Shape> = Schema.Union([
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  Schema.Array(Schema.suspend((): Schema.Codec<Shape> => Shape)).check(Schema.isMaxLength(4))
])

/** A number is a branch of that many leaves. */
const grow = (shape: Shape, next: () => number): Node =>
  typeof shape === "number"
    ? { n: next(), below: Array.from({ length: shape }, () => ({ n: next() })) }
    : { n: next(), below: shape.map((one) => grow(one, next)) }

const place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))
const numbers = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })))

const none: ReadonlySet<number> = new Set()

describe("the window of an outline", () => {
  it.prop("is that part of all lines that are open", [Schema.Array(Shape), place, place, numbers, numbers], (drawn) => {
    const [shapes, from, count, opened, closed] = drawn
    let last = 0
    const roots = shapes.map((shape) => grow(shape, () => ++last))
    const view = { from, count, opened: new Set(opened), closed: new Set(closed) }
    const all: Array<Array<number>> = []
    const visit = (node: Node, depth: number): void => {
      all.push([node.n, depth])
      if (node.below !== undefined && isOpen(node.n, node.below.length, view)) {
        node.below.forEach((one) => visit(one, depth + 1))
      }
    }
    for (const root of roots) visit(root, 0)
    const seen = lines(roots, treeOf(), view)
    assert.strictEqual(seen.total, all.length)
    assert.deepStrictEqual(seen.lines.map(({ depth, node }) => [node.n, depth]), all.slice(from, from + count))
  })

  it("of a million leaves asks only for what is in it", () => {
    const root: Node = { n: 0, below: Array.from({ length: 1_000_000 }, (_, i) => ({ n: i + 1 })) }
    const asked: Array<number> = []
    const seen = lines([root], treeOf(asked), { from: 500_000, count: 30, opened: new Set([0]), closed: none })
    assert.strictEqual(seen.total, 1_000_001)
    assert.deepStrictEqual(seen.lines.map(({ node }) => node.n), Array.from({ length: 30 }, (_, i) => 500_000 + i))
    assert.deepStrictEqual(asked, [0])
  })

  it("opens small branches by itself, and large ones when it is asked to", () => {
    const view = { opened: none, closed: none }
    assert.isTrue(isOpen(1, smallBranch, view))
    assert.isFalse(isOpen(1, smallBranch + 1, view))
    assert.isTrue(isOpen(1, smallBranch + 1, { opened: new Set([1]), closed: none }))
    assert.isFalse(isOpen(1, 1, { opened: none, closed: new Set([1]) }))
  })
})
