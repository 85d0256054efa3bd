/**
 * The rules of a process group: membership is counted.
 *
 * A member that joined twice is listed twice and has to leave twice, as in OTP's `pg`: two parts of a program can share a
 * member without knowing of one another.
 *
 * @since 0.1.0
 */

/**
 * The members after some joined, in the order of joining.
 *
 * @since 0.1.0
 */
export const join = <P>(members: ReadonlyArray<P>, joining: ReadonlyArray<P>): ReadonlyArray<P> => [
  ...members,
  ...joining
]

/**
 * The members after some left: each time a leaver is named, one of its memberships ends, the youngest first.
 *
 * **Details**
 *
 * `left` has those that really left; who is no member is passed over.
 *
 * @since 0.1.0
 */
export const leave = <P>(
  members: ReadonlyArray<P>,
  leaving: ReadonlyArray<P>
): { readonly members: ReadonlyArray<P>; readonly left: ReadonlyArray<P> } => {
  const remaining = [...members]
  const left: Array<P> = []
  for (const leaver of leaving) {
    const at = remaining.lastIndexOf(leaver)
    if (at === -1) continue
    remaining.splice(at, 1)
    left.push(leaver)
  }
  return { members: remaining, left }
}
