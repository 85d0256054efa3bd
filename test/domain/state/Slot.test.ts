import { assert, describe, it } from "@effect/vitest"
import { type Event, isOwn, next, type Slot } from "../../../src/domain/state/Slot.ts"

const slots: ReadonlyArray<Slot> = ["Free", "HeldBare", "Held", "Orphan", "StandBy"]

const released = (keep: "Keep" | "Forget" | "Undecided", isOwn = true, others = false): Event => ({
  _tag: "Released",
  isOwn,
  keep,
  others
})

/** For each event the slots after it, in the order of {@link slots}. */
const table: ReadonlyArray<readonly [name: string, event: Event, after: ReadonlyArray<Slot>]> = [
  [
    "its server enters, and can do without a companion",
    { _tag: "Entered", isOwn: true, isLazy: true },
    ["HeldBare", "HeldBare", "Held", "Held", "Held"]
  ],
  [
    "its server enters, and needs a companion",
    { _tag: "Entered", isOwn: true, isLazy: false },
    ["Held", "Held", "Held", "Held", "Held"]
  ],
  [
    "another server comes for the key",
    { _tag: "Entered", isOwn: false, isLazy: true },
    ["HeldBare", "Held", "Held", "Held", "Held"]
  ],
  ["a companion is needed", { _tag: "Needed" }, ["Orphan", "Held", "Held", "Orphan", "StandBy"]],
  ["its server goes, and its state stays", released("Keep"), ["Free", "Free", "Orphan", "Orphan", "Orphan"]],
  ["its server goes, and its state with it", released("Forget"), ["Free", "Free", "Orphan", "Orphan", "Orphan"]],
  ["its server goes, for now", released("Undecided"), ["Free", "Free", "StandBy", "StandBy", "StandBy"]],
  [
    "its server goes, while another may yet have the state forgotten",
    released("Keep", true, true),
    ["Free", "Free", "StandBy", "StandBy", "StandBy"]
  ],
  ["a server goes that has nothing here", released("Forget", false), slots],
  [
    "the last that might have it forgotten leaves it",
    { _tag: "Left", isLast: true },
    ["Free", "HeldBare", "Held", "Orphan", "Orphan"]
  ],
  ["one of several leaves it", { _tag: "Left", isLast: false }, slots],
  ["nothing would be lost with the companion", { _tag: "Spare" }, ["Free", "HeldBare", "Held", "Free", "StandBy"]]
]

describe("the slot of a key", () => {
  for (const [name, event, after] of table) {
    it(`when ${name}`, () => assert.deepStrictEqual(slots.map((slot) => next(slot, event)), after))
  }
})

describe("a server decides on the state of its key", () => {
  const last = { isOwner: false, isOwned: false, had: true, youngest: 3, incarnation: 3 }

  it("when it has it, and not when another has it", () => {
    assert.isTrue(isOwn({ ...last, isOwner: true, isOwned: true, youngest: 9 }))
    assert.isFalse(isOwn({ ...last, isOwned: true }))
  })

  it("when it was the last that had it, and not when another has had it since", () => {
    assert.isTrue(isOwn(last))
    assert.isFalse(isOwn({ ...last, youngest: 4 }))
    assert.isFalse(isOwn({ ...last, had: false }))
  })

  it("when no incarnation ever had it: it was set from outside", () => {
    assert.isTrue(isOwn({ ...last, had: false, youngest: 0 }))
  })
})
