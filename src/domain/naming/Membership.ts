/**
 * The rules of a process group: membership is counted.
 *
 * A member that joined twice is listed twice and has to leave twice, as in OTP's `pg`: two parts of a program can share
 * a member without knowing of one another.
 *
 * @since 0.1.0
 */
import { Array as Arr, Option } from "effect"

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
 * `left` has the members that really left; who is none is passed over. `isSame` says whether a leaver is a member: by
 * default they are the same value.
 *
 * @since 0.1.0
 */
export const leave = <P>(
  members: ReadonlyArray<P>,
  leaving: ReadonlyArray<P>,
  isSame: (leaver: P, member: P) => boolean = (leaver, member) => leaver === member
): { readonly members: ReadonlyArray<P>; readonly left: ReadonlyArray<P> } => {
  const remaining = [...members]
  const left: Array<P> = []
  for (const leaver of leaving) {
    const at = Arr.findLastIndex(remaining, (member) => isSame(leaver, member))
    if (Option.isSome(at)) left.push(...remaining.splice(at.value, 1))
  }
  return { members: remaining, left }
}
