import { assert, it } from "@effect/vitest"
import { Predicate } from "effect"
import * as heirloom from "../../../../src/index.ts"
import * as testing from "../../../../src/testing.ts"

it("each public error has the name under which it is exported, as its tag and in what is printed", () => {
  const names: Array<string> = []
  for (const module of [...Object.values(heirloom), ...Object.values(testing)]) {
    for (const [name, value] of Object.entries<unknown>(module)) {
      if (!Predicate.isFunction(value) || !(value.prototype instanceof Error) || !("identifier" in value)) continue
      names.push(name)
      const fields: unknown = Reflect.get(value, "fields")
      const tag = Predicate.hasProperty(fields, "_tag") && Predicate.hasProperty(fields._tag, "schema")
        ? Reflect.get(Object(fields._tag.schema), "literal")
        : undefined
      assert.deepStrictEqual([value.identifier, tag, value.prototype.name], [name, name, name])
    }
  }
  assert.includeMembers(names, ["StartError", "ChildError", "TaskError", "RegistryError", "InvalidOption", "Stuck"])
  assert.isAbove(names.length, 25)
})
