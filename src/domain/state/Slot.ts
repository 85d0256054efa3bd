/**
 * The state of one key among the companions of a class: which server has it, and what is left of it when none has.
 *
 * A key has one owner at a time. Most of a million servers wait for their first message and have no companion until
 * then. A server that has ended for good may leave its state behind, or have it forgotten; one that is only down may
 * still do either.
 *
 * @since 0.1.0
 */

/**
 * `Free`: nothing is known of the key. `HeldBare`: a server has it, and has no companion yet. `Held`: a server has it,
 * with its companion. `Orphan`: there is a companion, and no server has it. `StandBy`: likewise, and a server that is
 * down may yet have it forgotten.
 */
export type Slot = "Free" | "HeldBare" | "Held" | "Orphan" | "StandBy"

/** What becomes of a state whose server is gone. `Undecided`: that is for a later event to say. */
export type Keep = "Keep" | "Forget" | "Undecided"

/** What happens to a slot. `isOwn`: the server that it happens by has the slot, or was the last that had it. */
export type Event =
  /** A server takes the key. `isLazy`: it can do without a companion until its first commit. */
  | { readonly _tag: "Entered"; readonly isOwn: boolean; readonly isLazy: boolean }
  /** A companion is needed: the server commits, or the state is read or written from outside. */
  | { readonly _tag: "Needed" }
  /** A server is down, for now or for good. `others`: another that is down may yet have the state forgotten. */
  | { readonly _tag: "Released"; readonly isOwn: boolean; readonly keep: Keep; readonly others: boolean }
  /** A server that was down is gone, and its state stays; `isLast`: no other may yet have it forgotten. */
  | { readonly _tag: "Left"; readonly isLast: boolean }
  /** Nothing would be lost with the companion. */
  | { readonly _tag: "Spare" }

/** The slot after an event. */
export const next = (slot: Slot, event: Event): Slot => {
  switch (event._tag) {
    case "Entered":
      if (slot === "Free") return event.isLazy ? "HeldBare" : "Held"
      // Another server that comes for the key finds its owner at the companion.
      return slot === "HeldBare" && event.isOwn && event.isLazy ? slot : "Held"
    case "Needed":
      return slot === "Free" ? "Orphan" : slot === "HeldBare" ? "Held" : slot
    case "Released":
      if (!event.isOwn || slot === "Free") return slot
      if (slot === "HeldBare") return "Free"
      return event.keep === "Undecided" || event.others ? "StandBy" : "Orphan"
    case "Left":
      return slot === "StandBy" && event.isLast ? "Orphan" : slot
    case "Spare":
      return slot === "Orphan" ? "Free" : slot
  }
}

/** The last owner of a state, as far as its companion knows. */
export interface LastOwner {
  /** Whether the server has the companion. */
  readonly isOwner: boolean
  /** Whether any server has it. */
  readonly isOwned: boolean
  /** Whether the server had this very companion. */
  readonly had: boolean
  /** The youngest incarnation that may have had the state; 0 when none has. */
  readonly youngest: number
  /** The server's own incarnation. */
  readonly incarnation: number
}

/**
 * Whether a server decides on the state of its key: it has it, or was the last that had it. A state that no incarnation
 * ever had was set from outside, and is decided on by the server that goes.
 */
export const isOwn = ({ had, incarnation, isOwned, isOwner, youngest }: LastOwner): boolean =>
  isOwned ? isOwner : youngest === 0 || (had && youngest === incarnation)
