/**
 * Members in the order they came, each with what is known of it.
 *
 * What a `Map` from members would be, where members come by the hundred thousand: a member knows its place here, so it
 * is found by a look into an array, and one more costs a place in it. Places that become empty are closed up when there
 * are more of them than members.
 *
 * @since 0.1.0
 */

/** What can be a member, of one roster at a time. */
export interface Member {
  /** Its place in the roster it is in; the roster's to say. */
  slot: number
}

/** Members, each with what is known of it. */
export class Roster<M extends Member, V> {
  private members: Array<M | undefined> = []
  private known: Array<V | undefined> = []
  private gaps = 0

  get size(): number {
    return this.members.length - this.gaps
  }

  get(member: M): V | undefined {
    const { slot } = member
    return this.members[slot] === member ? this.known[slot] : undefined
  }

  /** Says something else of a member, or makes it one. */
  set(member: M, value: V): void {
    if (this.members[member.slot] === member) this.known[member.slot] = value
    else this.add(member, value)
  }

  /** Makes one a member that is none. */
  add(member: M, value: V): void {
    member.slot = this.members.push(member) - 1
    this.known.push(value)
  }

  delete(member: M): void {
    const { slot } = member
    if (this.members[slot] !== member) return
    this.members[slot] = undefined
    this.known[slot] = undefined
    this.gaps++
    if (this.gaps > fewGaps && this.gaps > this.size) this.closeUp()
  }

  /** Who is a member by now. */
  list(): ReadonlyArray<M> {
    return this.members.filter((member) => member !== undefined)
  }

  private closeUp(): void {
    const { known, members } = this
    this.members = []
    this.known = []
    this.gaps = 0
    for (const member of members) {
      if (member !== undefined) this.add(member, known[member.slot]!)
    }
  }
}

const fewGaps = 32
