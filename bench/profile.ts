/**
 * Shows a CPU profile as a tree: where the time below one function goes.
 *
 *     node --expose-gc --cpu-prof --cpu-prof-interval 300 --cpu-prof-name crash.cpuprofile bench/ours.ts crash-die
 *     node bench/profile.ts crash.cpuprofile runLoop 2
 *
 * The second argument is the function to begin at: `runLoop` is what clients do, `turn` what servers do with queued
 * messages. The third is the least percentage shown.
 */
import { readFileSync } from "node:fs"

interface Node {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: ReadonlyArray<number>
}

interface Profile {
  readonly nodes: ReadonlyArray<Node>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

/** The same function called by the same one, wherever it was. */
interface Merged {
  self: number
  total: number
  readonly below: Map<string, Merged>
}

const [file, from = "runLoop", least = "1"] = process.argv.slice(2)
if (file === undefined) throw new Error("node bench/profile.ts <file.cpuprofile> [function] [least percentage]")
const { nodes, samples, timeDeltas }: Profile = JSON.parse(readFileSync(file, "utf8"))
const byId = new Map(nodes.map((node) => [node.id, node]))
const time = new Map<number, number>()
for (const [i, id] of samples.entries()) time.set(id, (time.get(id) ?? 0) + timeDeltas[i]!)

const nameOf = ({ callFrame: { functionName, lineNumber, url } }: Node): string =>
  `${functionName || "(anonymous)"} ${url.slice(url.lastIndexOf("/") + 1)}:${lineNumber + 1}`

const childrenOf = (node: Node): ReadonlyArray<Node> => (node.children ?? []).map((id) => byId.get(id)!)

const merge = (node: Node, into: Map<string, Merged>): number => {
  const name = nameOf(node)
  const merged = into.get(name) ?? { self: 0, total: 0, below: new Map() }
  into.set(name, merged)
  const self = time.get(node.id) ?? 0
  const total = childrenOf(node).reduce((sum, child) => sum + merge(child, merged.below), self)
  merged.self += self
  merged.total += total
  return total
}

const found = new Map<string, Merged>()
const search = (node: Node): void => {
  if (node.callFrame.functionName === from) merge(node, found)
  else childrenOf(node).forEach(search)
}
search(nodes[0]!)

const all = Array.from(found.values(), ({ total }) => total).reduce((sum, total) => sum + total, 0)
const percent = (micros: number): string => (micros / all * 100).toFixed(1)
const show = (level: Map<string, Merged>, indent: string): void => {
  for (const [name, { below, self, total }] of [...level].sort(([, a], [, b]) => b.total - a.total)) {
    if (total / all * 100 < Number(least)) continue
    console.log(`${indent}${percent(total)} % (itself ${percent(self)}) ${name}`)
    show(below, `${indent}  `)
  }
}
show(found, "")
