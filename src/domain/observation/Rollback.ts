/**
 * What is said when a server goes on from an older state than it had acknowledged, or from `init`: updates are lost by
 * it.
 *
 * @since 0.1.0
 */
import { pathText } from "./Lifecycle.ts"

/** A state gave way to an older one, or to `init`. */
export interface Rollback {
  readonly path: ReadonlyArray<string>
  readonly incarnation: number
  /** Sequence number of the newest snapshot there was. */
  readonly from: number
  /** That of the one it gave way to; absent when none was left. */
  readonly to: number | undefined
  readonly why: string
}

/** Who lost what and why, and where it still is. */
export const toText = ({ from, incarnation, path, to, why }: Rollback): string => {
  const lost = to === undefined
    ? `starts from init, and not from snapshot ${from}: no snapshot of it can be used`
    : `starts from snapshot ${to}, and not from ${from}: ${from - to} ${
      from - to === 1 ? "update is" : "updates are"
    } given up`
  return `${pathText(path)} #${incarnation} ${lost} (${why}). What it gave way from is set aside and not deleted: ` +
    "its companion's `aside` lists it, and `snapshots restore` brings it back"
}
