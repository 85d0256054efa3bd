/**
 * Whether the state of a server that hibernates may leave memory.
 *
 * A state may go when it can be had again, and is not about to be needed. What can be had again is what a store holds;
 * what is still being written may go a moment later. A message that came meanwhile needs it at once, and a promised
 * reply may need it at any time: then it stays, until the server hibernates again.
 *
 * @since 0.1.0
 */

/**
 * Where a state is: in memory alone, as far as the server is concerned (`kept`); likewise, and nothing of it was ever
 * to be stored (`unwritten`); on its way to a store (`pending`); in the store as it is in memory (`stored`).
 */
export type Residency = "kept" | "unwritten" | "pending" | "stored"

/** What is known of a server that hibernates. */
export interface Hibernation {
  readonly residency: Residency
  /** Messages that wait. */
  readonly waiting: number
  /** Callers promised a later reply. */
  readonly promised: number
}

/** It leaves memory; it may when it is stored; it stays. */
export type Decision = "leave" | "wait" | "stay"

/** What becomes of the state of a server that hibernates. */
export const decide = ({ promised, residency, waiting }: Hibernation): Decision => {
  if (waiting > 0 || promised > 0) return "stay"
  return residency === "stored" ? "leave" : residency === "pending" ? "wait" : "stay"
}
