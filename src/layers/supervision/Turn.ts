/**
 * Turns: who runs now, who runs later, and how deep.
 *
 * Resumes in Effect are synchronous: whoever completes a callback runs its waiter on its own stack, and a cascade of
 * some hundreds aborts the process. Every hand-off of Heirloom (a call served at once, a reply, a crash told to a
 * supervisor) goes through here: it runs at once while the stack is shallow and is queued for the outermost frame
 * when it is not.
 *
 * *Tricky*: `leave` drains what was queued only in the outermost frame, so a queued hand-off never nests inside another;
 * it must run even when the hand-off that queued it throws, hence the `finally` around every `enter`.
 *
 * @since 0.1.0
 */

/** Nested hand-offs before the trampoline takes over: each level is several JS frames of Effect's own. */
export const maxDepth = 24

let depth = 0
const deferred: Array<() => void> = []
let head = 0

/** Whether one more hand-off may run on this stack. */
export const isShallow = (): boolean => depth < maxDepth

/** Enters a hand-off; pair with {@link leave} in a `finally`. */
export const enter = (): void => {
  depth++
}

/** Leaves a hand-off; the outermost one runs what had to wait. */
export const leave = (): void => {
  if (--depth !== 0) return
  while (head < deferred.length) {
    const task = deferred[head]!
    deferred[head++] = noop
    depth++
    try {
      task()
    } finally {
      depth--
    }
  }
  deferred.length = 0
  head = 0
}

const noop = () => {}

/** Runs a hand-off now, or as soon as the outermost one is done when the stack is deep. */
export const run = (task: () => void): void => {
  if (depth >= maxDepth) {
    deferred.push(task)
    return
  }
  depth++
  try {
    task()
  } finally {
    leave()
  }
}
