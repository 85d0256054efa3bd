/**
 * Who made a registration or a membership: an incarnation of the process itself, or others.
 *
 * What is registered or joined belongs to a process and stays over its restarts, while `init` runs for each
 * incarnation. So what an incarnation says of itself takes the place of what one before it had said: in OTP that would
 * have ended with the old pid, and the count is the same. What others say counts each time.
 *
 * @since 0.1.0
 */

/** What has an origin: the number of the incarnation that made it of itself, or 0 when others did. */
export interface Made {
  readonly by: number
}

/** What an incarnation makes again: the oldest that an earlier one has made of itself, if it makes something itself. */
export const inherited = <M extends Made>(all: Iterable<M>, by: number): M | undefined => {
  for (const made of all) if (made.by > 0 && made.by < by) return made
  return undefined
}
