import { assert, describe, it } from "@effect/vitest"
import * as Phase from "../../../src/domain/server/Phase.ts"

describe("the phases of a server", () => {
  it("are up, starting, ending or down, one of these each, in the order of their numbers", () => {
    const phases = Object.keys(Phase.mayFollow).map(Number) as ReadonlyArray<Phase.Phase>
    const kindOf = (phase: Phase.Phase) => [
      ...(Phase.isUp(phase) ? ["up"] : []),
      ...(Phase.isStarting(phase) ? ["starting"] : []),
      ...(phase === Phase.Ending ? ["ending"] : []),
      ...(Phase.isDown(phase) ? ["down"] : [])
    ]
    assert.deepStrictEqual(phases.map((phase) => [String(Phase.nameOf[phase])].concat(kindOf(phase))), [
      ["idle", "up"],
      ["busy", "up"],
      ["pending", "up"],
      ["starting", "starting"],
      ["restoring", "starting"],
      ["initialising", "starting"],
      ["ending", "ending"],
      ["restarting", "down"],
      ["parked", "down"],
      ["stopped", "down"]
    ])
  })
})
