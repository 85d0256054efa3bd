/**
 * What must be true of the events of every tree, whatever happens: incarnations come one after the other.
 *
 * At most one incarnation of a process is up at a time, each has a higher number than those before it, and one that
 * ends was up. Events know a process by its path; where two processes share one, as children of a dynamic supervisor
 * may, only the last of these can be judged.
 *
 * @since 0.1.0
 */
import { type Lifecycle, pathText } from "../observation/Lifecycle.ts"

interface Known {
  readonly up: Set<number>
  latest: number
  /** Whether more than one process has this path. */
  isShared: boolean
}

/** What was seen so far, and what was wrong. It changes in place. */
export interface Watch {
  readonly known: Map<string, Known>
  readonly broken: Array<string>
}

/** Nothing seen so far. */
export const make = (): Watch => ({ known: new Map(), broken: [] })

/** Looks at the next event. */
export const see = ({ broken, known }: Watch, event: Lifecycle): void => {
  if (event._tag !== "Started" && event._tag !== "Exited") return
  const { incarnation } = event
  const path = pathText(event.path)
  const one = known.get(path) ?? { up: new Set(), latest: 0, isShared: false }
  known.set(path, one)
  if (event._tag === "Exited") {
    if (!one.up.delete(incarnation) && !one.isShared) broken.push(`${path} #${incarnation} ended, and was not up`)
    return
  }
  // A first incarnation after another is that of another process.
  if (incarnation === 1 && one.latest > 0) one.isShared = true
  if (!one.isShared) {
    const [other] = one.up
    if (other !== undefined) broken.push(`${path} #${incarnation} began while #${other} was up`)
    if (incarnation <= one.latest) broken.push(`${path} #${incarnation} began after #${one.latest}`)
  }
  one.latest = Math.max(one.latest, incarnation)
  one.up.add(incarnation)
}

/** The process of the app is gone, and everything in it: what starts then counts anew. */
export const gone = ({ known }: Watch): void => known.clear()
