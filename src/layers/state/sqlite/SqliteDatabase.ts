/**
 * What a store can ask of a SQLite database that is in files.
 *
 * @since 0.1.0
 */
import type { Files } from "../sql/DatabaseFiles.ts"
import { check } from "./SqliteCheck.ts"
import { watch } from "./SqliteFiles.ts"
import * as SqliteHeads from "./SqliteHeads.ts"

/** All that can be asked. */
export const sqliteFiles: Files = { watching: watch, heads: SqliteHeads.open, check }
