import { assert, describe, it } from "@effect/vitest"
import * as Strategy from "../../../src/domain/supervision/Strategy.ts"

const member = (id: string, order: number, needs: ReadonlyArray<string> = []): Strategy.Member => ({
  spec: { id, needs },
  order
})
const db = member("db", 0)
const cache = member("cache", 1)
const users = member("users", 2, ["db"])
const mail = member("mail", 3)
const web = member("web", 4, ["users", "cache"])
const shuffled = [web, db, mail, users, cache]

const ids = (strategy: Strategy.Strategy, root: Strategy.Member) =>
  Strategy.group(strategy, root, shuffled).map(({ spec }) => spec.id)

describe("Strategy.group", () => {
  it("one_for_one: the child alone", () => {
    assert.deepStrictEqual(ids("one_for_one", users), ["users"])
  })

  it("one_for_all: every child, in start order", () => {
    assert.deepStrictEqual(ids("one_for_all", users), ["db", "cache", "users", "mail", "web"])
  })

  it("rest_for_one: the child and those after it, in start order", () => {
    assert.deepStrictEqual(ids("rest_for_one", users), ["users", "mail", "web"])
    assert.deepStrictEqual(ids("rest_for_one", db), ["db", "cache", "users", "mail", "web"])
    assert.deepStrictEqual(ids("rest_for_one", web), ["web"])
  })

  it("dependents: the child and those that need it, directly or through others, and no other", () => {
    assert.deepStrictEqual(ids("dependents", db), ["db", "users", "web"])
    assert.deepStrictEqual(ids("dependents", cache), ["cache", "web"])
    assert.deepStrictEqual(ids("dependents", mail), ["mail"])
    assert.deepStrictEqual(ids("dependents", web), ["web"])
  })
})
