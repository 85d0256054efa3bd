import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Lifecycle from "../../../src/domain/observation/Lifecycle.ts"

it("each event has the tag that its schema is named by, and is one of the union", () => {
  const { Lifecycle: union, ...others } = Lifecycle
  const named = Object.entries(others).filter(([, value]) => Schema.isSchema(value))
  const tags = union.members.map((event) => event.fields._tag.schema.literal)
  assert.includeMembers(named.map(([name]) => name), [...tags])
  assert.lengthOf(new Set(tags), tags.length)
  for (const [name, schema] of named) {
    const event = union.members.find((member) => Object.is(member, schema))
    if (event !== undefined) assert.strictEqual(event.fields._tag.schema.literal, name)
  }
})
