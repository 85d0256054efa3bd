import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Action, maxRows, Place, View } from "../../../src/domain/observer/Requests.ts"

const accepts = (schema: Schema.Codec<unknown, unknown>, json: unknown) =>
  assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(json), json)
const refuses = (schema: Schema.Codec<unknown, unknown>, json: unknown) =>
  assert.throws(() => Schema.decodeUnknownSync(schema)(json), undefined, undefined, JSON.stringify(json)?.slice(0, 80))

const view = {
  reader: "r",
  from: 0,
  count: 0,
  opened: [],
  closed: [],
  find: "",
  troubled: false,
  sort: null,
  chosen: null
}
const most = Number.MAX_SAFE_INTEGER

describe("what a page asks", () => {
  it("is a view within its bounds, and nothing else", () => {
    accepts(View, view)
    accepts(View, {
      reader: "r".repeat(64),
      from: most,
      count: maxRows,
      opened: Array.from({ length: 1000 }, () => 0),
      closed: [most],
      find: "f".repeat(200),
      troubled: true,
      sort: { by: "mailbox", order: "descending" },
      chosen: 0
    })
    const outside = [
      { reader: "r".repeat(65) },
      { from: -1 },
      { from: 0.5 },
      { from: 2 ** 53 },
      { count: maxRows + 1 },
      { count: -1 },
      { opened: Array.from({ length: 1001 }, () => 0) },
      { closed: [-1] },
      { find: "f".repeat(201) },
      { troubled: "yes" },
      { sort: { by: "fame", order: "ascending" } },
      { sort: { by: "mailbox" } },
      { chosen: -1 }
    ]
    for (const change of outside) refuses(View, { ...view, ...change })
    accepts(Place, { path: Array.from({ length: 100 }, () => "a") })
    refuses(Place, { path: Array.from({ length: 101 }, () => "a") })
  })

  it("is an action on a process that it names", () => {
    for (const _tag of ["Crash", "Stop", "Restart", "Suspend", "Resume"]) {
      accepts(Action, { _tag, n: 0 })
      for (const n of [undefined, -1, 0.5, "1"]) refuses(Action, { _tag, n })
    }
    accepts(Action, { _tag: "Restore", n: 1, seq: 2 })
    accepts(Action, { _tag: "Replay", n: 1, at: 2.5, message: "Add" })
    refuses(Action, { _tag: "Restore", seq: 2 })
    refuses(Action, { _tag: "Restore", n: 1 })
    refuses(Action, { _tag: "Replay", at: 2, message: "Add" })
    refuses(Action, { _tag: "Format", n: 1 })
  })
})
