import { assert, describe, it } from "@effect/vitest"
import { GroupsError } from "../../../src/layers/naming/GroupsError.ts"
import { RegistryError } from "../../../src/layers/naming/RegistryError.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

describe("what is said", () => {
  it("by a registry that refuses: of which key, why, and what to do", () => {
    const key = "one"
    const path = ["app", "a"]
    const said = (reason: RegistryError["reason"]) => new RegistryError({ registry: "Names", reason }).message
    assert.match(
      said({ _tag: "AlreadyRegistered", key, holder: new FakeProcess("a") }),
      /^Names, key "one": taken by .*a\. Use that/
    )
    assert.match(said({ _tag: "BeingStarted", key }), /is being started under this key\. Wait for it/)
    assert.match(
      said({ _tag: "NotAlive", key, path }),
      /app > a has ended for good: only .* registered\. Start it again/
    )
    assert.match(said({ _tag: "NotRegistered", key, path }), /app > a has nothing registered here\. Only the owner/)
    assert.match(said({ _tag: "RegistryClosed", key }), /has been shut down\. Keep the layer/)
  })

  it("by groups that refuse: of which group, why, and what to do", () => {
    const group = "one"
    const said = (reason: GroupsError["reason"]) => new GroupsError({ groups: "Rooms", reason }).message
    assert.match(said({ _tag: "NotJoined", group }), /^Rooms, group "one": none of .* is a member\./)
    assert.match(
      said({ _tag: "NotAlive", group, path: ["app", "a"] }),
      /app > a has ended for good: only .* join\. Start it again/
    )
    assert.match(said({ _tag: "GroupsClosed", group }), /have been shut down\. Keep the layer/)
  })
})
