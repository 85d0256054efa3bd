import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Passivation from "../../../src/domain/state/Passivation.ts"

const Hibernation = Schema.Struct({
  residency: Schema.Literals(["kept", "pending", "stored"]),
  waiting: Schema.Natural,
  promised: Schema.Natural
})

describe("Passivation", () => {
  it("a state that is stored leaves when nothing waits and nothing is promised; one on its way waits", () => {
    const calm = { waiting: 0, promised: 0 }
    assert.strictEqual(Passivation.decide({ ...calm, residency: "stored" }), "leave")
    assert.strictEqual(Passivation.decide({ ...calm, residency: "pending" }), "wait")
    assert.strictEqual(Passivation.decide({ ...calm, residency: "kept" }), "stay")
    assert.strictEqual(Passivation.decide({ waiting: 1, promised: 0, residency: "stored" }), "stay")
    assert.strictEqual(Passivation.decide({ waiting: 0, promised: 1, residency: "stored" }), "stay")
  })

  it.prop("a state leaves memory only if a store holds it and nothing needs it", { at: Hibernation }, ({ at }) => {
    const decision = Passivation.decide(at)
    const needed = at.waiting > 0 || at.promised > 0
    assert.strictEqual(decision === "leave", at.residency === "stored" && !needed)
    assert.strictEqual(decision === "wait", at.residency === "pending" && !needed)
  })
})
