/**
 * The commands that the counter understands, and how they are read. Pure.
 */
import { Result } from "effect"

export type Command =
  | { readonly _tag: "Increment"; readonly by: number }
  | { readonly _tag: "Get" }
  | { readonly _tag: "Crash" }
  | { readonly _tag: "Interrupt" }
  | { readonly _tag: "Kill" }
  | { readonly _tag: "KillContainer" }
  | { readonly _tag: "Tree" }
  | { readonly _tag: "Help" }
  | { readonly _tag: "Quit" }
  /** An empty line. */
  | { readonly _tag: "Nothing" }

export const help = [
  "increment [N]    adds N, or 1, and shows the count",
  "get              shows the count",
  "crash            lets a handler of the server die",
  "interrupt        interrupts the server from outside",
  "kill             kills the server: it does not even clean up",
  "kill container   kills the container of its state",
  "tree             shows the processes and their incarnations",
  "help             shows this",
  "quit             ends"
].join("\n")

const simple = new Map<string, Command>([
  ["increment", { _tag: "Increment", by: 1 }],
  ["get", { _tag: "Get" }],
  ["crash", { _tag: "Crash" }],
  ["interrupt", { _tag: "Interrupt" }],
  ["kill", { _tag: "Kill" }],
  ["kill container", { _tag: "KillContainer" }],
  ["tree", { _tag: "Tree" }],
  ["help", { _tag: "Help" }],
  ["quit", { _tag: "Quit" }],
  ["", { _tag: "Nothing" }]
])

/** Reads a line; a bad one is answered with what is wrong with it. */
export const parse = (line: string): Result.Result<Command, string> => {
  const words = line.trim().toLowerCase().split(/\s+/)
  const known = simple.get(words.join(" "))
  if (known !== undefined) return Result.succeed(known)
  const [first = "", ...rest] = words
  if (first === "increment") return increment(rest)
  return simple.has(first)
    ? Result.fail(`"${first}" does not go with "${rest.join(" ")}". Try "help".`)
    : Result.fail(`"${line.trim()}" is no command. Try "help".`)
}

const increment = (words: ReadonlyArray<string>): Result.Result<Command, string> => {
  const [word = ""] = words
  const by = Number(word)
  return words.length === 1 && /^[+-]?\d+$/.test(word) && Number.isSafeInteger(by)
    ? Result.succeed({ _tag: "Increment", by })
    : Result.fail(`"increment" takes one whole number, as in "increment 3", not "${words.join(" ")}".`)
}
