/** The titles of the tests that a test file runs, as they stand in its source. */
import { parseAst } from "vitest/node"

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value

/** `["it", "live", "skip"]` of `it.live.skip`, and of `it.live.skip(...)`. */
const names = (node: unknown): ReadonlyArray<unknown> => {
  if (!isNode(node)) return []
  if ("callee" in node) return names(node.callee)
  if ("object" in node && "property" in node) return [...names(node.object), ...names(node.property)]
  return "name" in node ? [node.name] : []
}

/** The text that is the first argument of a call. */
const titleOf = (call: Node): Node | undefined => {
  const first: unknown = "arguments" in call && Array.isArray(call.arguments) ? call.arguments[0] : undefined
  return isNode(first) && ["Literal", "TemplateLiteral"].includes(first.type) ? first : undefined
}

/** What registers tests; the last four hand their first argument on to `it`. */
const registers = new Set<unknown>(["it", "test", "describe", "testCase", "promise", "crash", "row"])
const skips = new Set<unknown>(["skip", "skipIf", "runIf", "todo", "fails"])

/**
 * Those of tests and groups of which nothing is skipped: neither they, nor what is around them, nor what is in them.
 */
export const titles = (source: string): ReadonlySet<string> => {
  const found = new Set<string>()
  /** Says whether anything in the node is skipped. */
  const visit = (node: unknown, isAroundSkipped: boolean): boolean => {
    if (Array.isArray(node)) return node.map((child) => visit(child, isAroundSkipped)).includes(true)
    if (!isNode(node)) return false
    const callee = node.type === "CallExpression" ? names(node) : []
    const isSkipped = isAroundSkipped || callee.some((name) => skips.has(name))
    const isSkippedInside = Object.values(node).map((child) => visit(child, isSkipped)).includes(true)
    const title = titleOf(node)
    if (registers.has(callee[0]) && title !== undefined && !isSkipped && !isSkippedInside) {
      found.add(source.slice(title.start + 1, title.end - 1))
    }
    return (isSkipped && !isAroundSkipped) || isSkippedInside
  }
  visit(parseAst(source, { lang: "ts" }), false)
  return found
}
