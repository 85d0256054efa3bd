/**
 * What is counted where no files are given: the sources of the installed effect.
 */
import { Effect, FileSystem, Path } from "effect"

/** The files of effect's sources, in order. */
export const effectSources = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const manifest = yield* path.fromFileUrl(new URL(import.meta.resolve("effect/package.json")))
  const folder = path.join(path.dirname(manifest), "src")
  const names = yield* fs.readDirectory(folder, { recursive: true })
  return names.filter((name) => name.endsWith(".ts")).sort().map((name) => path.join(folder, name))
})

/** The lines of files, one file after the other. */
export const linesOf = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const texts = yield* Effect.forEach(files, (file) => fs.readFileString(file), { concurrency: 8 })
  return texts.flatMap((text) => text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r?\n/))
})
