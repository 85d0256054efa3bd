/**
 * The mark of values that stand for something that lives: a reference to a process, a caller who waits.
 *
 * A state may hold such a value, and the value is no part of the state: it is not frozen, not copied, and printed as an
 * address.
 *
 * @since 0.1.0
 */

/** A value that has this property stands for something that lives. */
export const isAlive = "~heirloom/isAlive"
