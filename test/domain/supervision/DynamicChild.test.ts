/** The whole table of a dynamic child, as its documentation has it. */
import { assert, describe, it } from "@effect/vitest"
import { type Event, isActive, isAlive, next, type Status } from "../../../src/domain/supervision/DynamicChild.ts"

const events: ReadonlyArray<Event> = [
  "up",
  "ignored",
  "failed",
  "refused",
  "exited",
  "crashed",
  "due",
  "exhausted",
  "terminate",
  "stopped",
  "resume"
]

const table: Readonly<Record<Status, Partial<Record<Event, Status>>>> = {
  starting: { up: "running", terminate: "stopping", ignored: "gone", failed: "gone", refused: "gone" },
  running: { crashed: "restarting", terminate: "stopping", exited: "gone" },
  restarting: { due: "reviving", exhausted: "parked", terminate: "gone" },
  reviving: { up: "running", failed: "restarting", terminate: "stopping", ignored: "gone", refused: "gone" },
  parked: { resume: "reviving", terminate: "gone" },
  stopping: { terminate: "stopping", stopped: "gone" },
  gone: {}
}

const statuses = Object.keys(table) as ReadonlyArray<Status>

describe("a child of a dynamic supervisor", () => {
  it.each(statuses)(
    "that is %s becomes what the table says at each event, and hears nothing of the others",
    (status) => {
      for (const event of events) assert.strictEqual(next(status, event), table[status][event], event)
    }
  )

  it("is alive, or active, as its status says", () => {
    assert.deepStrictEqual(statuses.filter(isAlive), ["starting", "running", "reviving", "stopping"])
    assert.deepStrictEqual(statuses.filter(isActive), ["running", "stopping"])
  })
})
