import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Idleness from "../../../src/domain/server/Idleness.ts"

const holders = Object.keys(Idleness.keepsAwake) as ReadonlyArray<Idleness.Holder>

const Sleepy = Schema.Struct({
  held: Schema.Array(Schema.Literals(holders)),
  residency: Schema.Literals(["kept", "unwritten", "pending", "stored"]),
  by: Schema.Literals(["hibernate", "stop"]),
  comesBack: Schema.Boolean
})

describe("a server that is left alone", () => {
  it("hibernates when a store has its state, stops when it is to, and waits for a state on its way", () => {
    const decisions = (by: Idleness.By) =>
      (["kept", "unwritten", "pending", "stored"] as const).map((residency) =>
        Idleness.decide({ held: [], comesBack: true, by, residency })
      )
    assert.deepStrictEqual(decisions("hibernate"), ["stay", "stop", "wait", "hibernate"])
    assert.deepStrictEqual(decisions("stop"), ["stop", "stop", "wait", "stop"])
  })

  it.prop("is kept awake by what the table has, and by nothing else", { at: Sleepy }, ({ at }) => {
    const decision = Idleness.decide(at)
    const isHeld = (by: Idleness.By) => at.held.some((holder) => Idleness.keepsAwake[holder][by])
    // Whatever it does, nothing kept it from that.
    if (decision === "hibernate" || decision === "stop") assert.isFalse(isHeld(decision))
    if (isHeld(at.by)) assert.strictEqual(decision, "stay")
    else if (at.residency === "stored" || at.by === "stop") assert.notStrictEqual(decision, "stay")
    // A state that only memory has goes with a server that comes back, and with no other.
    if (decision === "hibernate") assert.strictEqual(at.residency, "stored")
    if (decision === "stop" && at.by === "hibernate") {
      assert.isTrue(at.comesBack && at.residency === "unwritten" && !isHeld("stop"))
    }
  })

  it.prop("that stays, stays when one more thing keeps it awake", {
    at: Sleepy,
    more: Schema.Literals(holders)
  }, ({ at, more }) => {
    const after = Idleness.decide({ ...at, held: [...at.held, more] })
    assert.isTrue(after === Idleness.decide(at) || after === "stay")
  })

  it("is kept awake by less when it hibernates than when it stops, which loses more", () => {
    for (const holder of holders) assert.isTrue(Idleness.keepsAwake[holder].stop, holder)
    assert.deepStrictEqual(
      holders.filter((holder) => Idleness.keepsAwake[holder].hibernate),
      ["message", "continuation", "promise", "request", "suspension"]
    )
  })
})
