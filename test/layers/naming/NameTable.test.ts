/** What a registry holds, beside a plain list of its registrations. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Queue, Result, Schema } from "effect"
import type { Keys } from "../../../src/domain/naming/Names.ts"
import { Process, type Registry } from "../../../src/index.ts"
import { NameTable } from "../../../src/layers/naming/NameTable.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

const names = ["hall", "attic"] as const

const Step = Schema.Struct({
  what: Schema.Literals(["register", "register", "register", "unregister", "unregisterEven", "update", "gone", "back"]),
  key: Schema.Literals(names),
  who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  value: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
})

type Entry = Registry.Registration<string, Process.HasProcess, number>

const isEven = (value: number): boolean => value % 2 === 0

const seen = (
  { _tag, key, ref, value }: Registry.RegistryEvent<string, Process.HasProcess, number>
) => [_tag, key, ref, value]

for (const keys of ["unique", "duplicate"] as const satisfies ReadonlyArray<Keys>) {
  describe(`a table of names, ${keys} keys`, () => {
    it.effect.prop(
      "holds the registrations of processes that have not ended, in their order, publishes every change, and observes owners alone",
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function*() {
          const table = new NameTable<string, Process.HasProcess, number>(keys)
          const queue = yield* Queue.unbounded<Registry.RegistryEvent<string, Process.HasProcess, number>>()
          table.listen(queue)
          const processes = [0, 1, 2].map((n) => new FakeProcess(String(n)))
          let model: ReadonlyArray<Entry> = []
          /** What those have had that are down now. */
          let away: ReadonlyArray<Entry> = []
          const release = (isReleased: (entry: Entry) => boolean): ReadonlyArray<Entry> => {
            const released = model.filter(isReleased)
            model = model.filter((entry) => !released.includes(entry))
            return released
          }
          for (const { key, value, what, who } of steps) {
            const owner = processes[who]!
            const isOwn = (entry: Entry) => entry.key === key && entry.ref === owner
            switch (what) {
              case "register": {
                const result = table.register(key, owner, value)
                const holder = model.find((entry) => entry.key === key)
                if (keys === "unique" && holder?.ref === owner) {
                  assert.deepStrictEqual(result, Result.void)
                  model = model.map((entry) => entry === holder ? { ...entry, value } : entry)
                  assert.deepStrictEqual(yield* Queue.clear(queue), [])
                } else if (keys === "unique" && holder !== undefined) {
                  assert.deepStrictEqual(result, Result.fail({ _tag: "AlreadyRegistered", holder: holder.ref }))
                  assert.deepStrictEqual(yield* Queue.clear(queue), [])
                } else if (owner.status === "stopped") {
                  assert.deepStrictEqual(result, Result.fail({ _tag: "NotAlive" }))
                } else {
                  assert.deepStrictEqual(result, Result.void)
                  model = [...model, { key, ref: owner, value }]
                  assert.deepStrictEqual((yield* Queue.clear(queue)).map(seen), [["Registered", key, owner, value]])
                }
                break
              }
              case "unregister":
              case "unregisterEven": {
                const matches = what === "unregister" ? () => true : isEven
                const released = release((entry) => isOwn(entry) && matches(entry.value))
                away = away.filter((entry) => !(isOwn(entry) && matches(entry.value)))
                const count = what === "unregister"
                  ? table.unregister(key, owner)
                  : table.unregister(key, owner, matches)
                assert.strictEqual(count, released.length)
                assert.deepStrictEqual(
                  (yield* Queue.clear(queue)).map(seen),
                  released.map(({ key, ref, value }) => ["Unregistered", key, ref, value])
                )
                break
              }
              case "update": {
                const found = model.find(isOwn)
                assert.deepStrictEqual(
                  table.update(key, owner, (before) => before + value),
                  found === undefined ? Option.none() : Option.some([found.value + value, found.value])
                )
                model = model.map((entry) => entry === found ? { ...entry, value: entry.value + value } : entry)
                break
              }
              case "gone": {
                owner.gone()
                const released = release((entry) => entry.ref === owner)
                away = [...away, ...released]
                assert.sameDeepMembers(
                  (yield* Queue.clear(queue)).map(seen),
                  released.map(({ key, ref, value }) => ["Unregistered", key, ref, value])
                )
                break
              }
              case "back": {
                if (owner.status !== "stopped") break
                owner.returns()
                const isFree = ({ key }: Entry) => keys === "duplicate" || !model.some((entry) => entry.key === key)
                // Those of one key in their order.
                const back = away.filter((entry) => entry.ref === owner).filter(isFree)
                away = away.filter((entry) => entry.ref !== owner)
                model = [...model, ...back]
                assert.sameDeepMembers(
                  (yield* Queue.clear(queue)).map(seen),
                  back.map(({ key, ref, value }) => ["Registered", key, ref, value])
                )
                break
              }
            }
            for (const name of names) {
              assert.deepStrictEqual(table.lookup(name), model.filter((entry) => entry.key === name))
            }
            assert.sameDeepMembers([...table.all()], [...model])
            for (const process of processes) {
              const own = model.filter((entry) => entry.ref === process)
              assert.sameDeepMembers([...table.of(process[Process.processOf])], own)
              for (const name of names) {
                assert.deepStrictEqual(
                  table.at(name, process),
                  own.filter(({ key }) => key === name)
                )
              }
              assert.strictEqual(process.goneObservers.length, own.length > 0 ? 1 : 0)
            }
          }
          table.close()
          for (const process of processes) assert.strictEqual(process.goneObservers.length, 0)
        })
    )
  })
}
