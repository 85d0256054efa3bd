/**
 * The law of the house as a table, and the functions that hold sources against it. Types count as imports.
 */
import { Array } from "effect"
import { posix } from "node:path"

/** A file of the repository: its path from the root, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Floors import the floors after them. The files in `src` itself are the roof: only programs import them. */
const floors = ["programs", "layers", "domain"] as const

/**
 * On both lower floors, columns import the columns after them. The two last change places: a process publishes events,
 * and the schemas of events name how processes end.
 */
const columns: Record<string, ReadonlyArray<string>> = {
  layers: ["testing", "observer", "placement", "server", "state", "supervision", "naming", "process", "observation"],
  domain: [
    "testing",
    "observer",
    "placement",
    "server",
    "state",
    "supervision",
    "naming",
    "observation",
    "process",
    "options",
    "text"
  ]
}

/**
 * The rooms of a column, in the order of their imports: a room imports the rooms of the lines after its own. Rooms in
 * one line do not import each other. `.` is the column's root. A column that is not listed is one room.
 */
const rooms: Record<string, ReadonlyArray<string>> = {
  "layers/observer": [".", "look"],
  "layers/placement": [".", "cluster worker serve"],
  "layers/server": [".", "system", "class", "engine", "life", "parts", "message"],
  "layers/state": [".", "container durable file sqlite", "sql", "rows", "companion", "store", "lock"],
  "layers/supervision": [".", "static dynamic partition task", "tree", "restart"],
  "domain/state": ["log", "stored", ".", "shown"],
  "domain/supervision": [".", "restart"]
}

/** The measures of what one person can read at once. */
export const measures = {
  filesOfARoom: 12,
  linesOfASource: 400,
  linesOfATest: 600,
  classesOfAChain: 2,
  columnsOfAComment: 120
}

const roof = new Set(["index", "testing", "cluster", "worker", "serve"].map((name) => `src/${name}.ts`))

/** Where a file stands: its floor, its column and its room. */
interface Place {
  readonly floor: string
  readonly column: string
  readonly room: string
}

const placeOf = (path: string): Place => {
  const [, floor = "", ...inner] = path.split("/")
  const [column = ".", ...room] = inner.slice(0, -1)
  return { floor, column, room: room.join("/") || "." }
}

/** The paths that a source imports, of types too, without those of packages. */
const importsOf = ({ path, text }: Source): ReadonlyArray<string> => {
  const found = [
    ...text.matchAll(/^(?:import|export)\b[^"']*?\bfrom\s+"(\.[^"]+)"/gm),
    ...text.matchAll(/^import\s+"(\.[^"]+)"/gm),
    ...text.matchAll(/^(?!\s*(?:\*|\/\/)).*?\bimport\("(\.[^"]+)"\)/gm)
  ]
  return [...new Set(found.map(([, specifier]) => posix.join(posix.dirname(path), specifier!)))]
}

/** Whether `from` may import `to` by an order of lines, each naming one thing or several side by side. */
const isBefore = (order: ReadonlyArray<string>, from: string, to: string): boolean => {
  const line = (name: string) => order.findIndex((names) => names.split(" ").includes(name))
  return line(from) !== -1 && line(to) !== -1 && line(from) < line(to)
}

/** Why one file may not import another; `undefined` when it may. */
const refusal = (from: string, to: string): string | undefined => {
  if (roof.has(from)) return undefined
  const a = placeOf(from)
  const b = placeOf(to)
  if (roof.has(to)) return a.floor === "programs" ? undefined : "only programs import the public surface"
  if (a.floor !== b.floor) return isBefore(floors, a.floor, b.floor) ? undefined : `floors: ${floors.join(" -> ")}`
  if (a.floor === "programs") return undefined
  if (a.column !== b.column) {
    const order = columns[a.floor] ?? []
    return isBefore(order, a.column, b.column) ? undefined : `columns: ${order.join(" -> ")}`
  }
  if (a.room === b.room) return undefined
  const order = rooms[`${a.floor}/${a.column}`] ?? ["."]
  return isBefore(order, a.room, b.room) ? undefined : `rooms of ${a.column}: ${order.join(" -> ")}`
}

/** Imports that break the law. */
export const badImports = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources.flatMap((source) =>
    importsOf(source).flatMap((target) => {
      const why = refusal(source.path, target)
      return why === undefined ? [] : [`${source.path} imports ${target} against the order of ${why}`]
    })
  )

/** Files that import one another in a circle, each circle once, as the way around it. */
export const circles = (sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const imports = new Map(sources.map((source) => [source.path, importsOf(source)]))
  const finished = new Set<string>()
  const way: Array<string> = []
  const found: Array<string> = []
  const visit = (path: string): void => {
    const at = way.indexOf(path)
    if (at !== -1) found.push([...way.slice(at), path].join(" -> "))
    if (at !== -1 || finished.has(path)) return
    way.push(path)
    for (const target of imports.get(path) ?? []) visit(target)
    way.pop()
    finished.add(path)
  }
  for (const path of imports.keys()) visit(path)
  return found
}

/** Rooms with more files than one looks through. */
export const crowdedRooms = (sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const files = Array.groupBy(sources, ({ path }) => posix.dirname(path))
  return Object.entries(files).flatMap(([room, { length }]) =>
    length > measures.filesOfARoom ? [`${room} has ${length} files: ${measures.filesOfARoom} at most`] : []
  )
}

/** Classes that extend a class of ours which itself extends one of ours. */
export const longChains = (sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const parents = new Map(
    sources.flatMap(({ text }) =>
      [...text.matchAll(/^(?:export )?(?:abstract )?class (\w+)(?:<[^{]*?>)?(?: extends (\w+))?/gm)]
        .map(([, name, parent]) => [name!, parent] as const)
    )
  )
  const chain = (name: string): ReadonlyArray<string> => {
    const parent = parents.get(name)
    return parent !== undefined && parents.has(parent) ? [name, ...chain(parent)] : [name]
  }
  return [...parents.keys()].map(chain).flatMap((names) =>
    names.length > measures.classesOfAChain
      ? [`class ${names.join(" extends ")}: ${measures.classesOfAChain} classes at most`]
      : []
  )
}

const longerThan = (lines: number, sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources.flatMap(({ path, text }) => {
    const { length } = text.trimEnd().split("\n")
    return length > lines ? [`${path} has ${length} lines: ${lines} at most`] : []
  })

/** Sources with more lines than one reads in a sitting. */
export const longSources = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  longerThan(measures.linesOfASource, sources)

/** Tests with more lines than one reads in a sitting. */
export const longTests = (tests: ReadonlyArray<Source>): ReadonlyArray<string> =>
  longerThan(measures.linesOfATest, tests)

const isComment = (line: string): boolean => /^\s*(\/\*\*|\*|\/\/)/.test(line)

/** Comments that are wider than the code may be. Tables and examples are not broken. */
export const wideComments = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources.flatMap(({ path, text }) => {
    let isExample = false
    return text.split("\n").flatMap((line, index) => {
      if (/^\s*\* ```/.test(line)) isExample = !isExample
      const isBroken = isComment(line) && !isExample && !/^\s*\* \|/.test(line)
      return isBroken && line.length > measures.columnsOfAComment
        ? [`${path}:${index + 1} has ${line.length} columns: ${measures.columnsOfAComment} at most`]
        : []
    })
  })

// A torn tail is what the field calls the end of a log that was not written whole.
const riddle = /\b(nobody|somebody|anybody|everybody|whoever|told|mishap|torn(?! tail)|fallen|obey\w*)\b/i

/** Lines, names in them included, with words that make a reader stop: people in place of things, and metaphors. */
export const riddles = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const word = riddle.exec(line.replaceAll(/([a-z])([A-Z])/g, "$1 $2"))?.[0]
      return word === undefined ? [] : [`${path}:${index + 1} says "${word}"`]
    })
  )

/** Tests of a floor that stand in a room which the sources do not have. */
export const homelessTests = (
  sources: ReadonlyArray<Source>,
  tests: ReadonlyArray<Source>
): ReadonlyArray<string> => {
  const folders = new Set(sources.map(({ path }) => posix.dirname(path)))
  return tests.flatMap(({ path }) => {
    const room = posix.dirname(path).replace(/^test/, "src")
    return /^src\/(domain|layers)\b/.test(room) && !folders.has(room) ? [`${path}: there is no ${room}`] : []
  })
}
