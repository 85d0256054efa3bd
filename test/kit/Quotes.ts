/** Blocks of documents that quote a file of the repository: "```ts of src/programs/office/Show.ts". */
import { posix } from "node:path"

/** What a block of a document says that a file says. */
export interface Quote {
  /** The line of the document that it begins at. */
  readonly line: number
  readonly file: string
  readonly lines: ReadonlyArray<string>
}

/** Whether what stands behind "```ts" makes a block a quote. */
export const isQuote = (info: string): boolean => info.startsWith("of ")

/** The quotes of a document. */
export const quotesOf = (document: string): ReadonlyArray<Quote> => {
  const quotes: Array<Quote & { readonly lines: Array<string> }> = []
  let inside = false
  document.split("\n").forEach((text, index) => {
    const fence = /^```(?:ts (.*))?/.exec(text)
    if (fence !== null) {
      inside = !inside && isQuote(fence[1] ?? "")
      if (inside) quotes.push({ line: index + 1, file: fence[1]!.slice(3), lines: [] })
    } else if (inside) quotes.at(-1)!.lines.push(text)
  })
  return quotes
}

/** A source as a user would have written it: what it imports of the library has the library's name. */
export const asUser = (path: string, text: string, names: ReadonlyMap<string, string>): string =>
  text.replaceAll(/ from "(\.[^"]+)"/g, (whole, specifier: string) => {
    const name = names.get(posix.join(posix.dirname(path), specifier))
    return name === undefined ? whole : ` from "${name}"`
  })

/** Whether lines stand in a text one after the other, all of them further to the right or none. */
export const stands = (lines: ReadonlyArray<string>, text: string): boolean => {
  const all = text.split("\n")
  return lines.length > 0 && all.some((first, at) => {
    const indent = first.slice(0, first.length - lines[0]!.length)
    return indent.trim() === "" &&
      lines.every((line, i) => all[at + i] === (line === "" ? "" : indent + line))
  })
}
