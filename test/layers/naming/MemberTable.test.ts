/** What a scope of groups holds, beside the rules of membership on plain lists. */
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Option, Queue, Schema } from "effect"
import * as Membership from "../../../src/domain/naming/Membership.ts"
import { type Groups, Process } from "../../../src/index.ts"
import { type Listener, MemberTable } from "../../../src/layers/naming/MemberTable.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

type Event = Groups.GroupEvent<string, Process.HasProcess>

const listener = (group: Option.Option<string>): Effect.Effect<Listener<string, Process.HasProcess>> =>
  Effect.map(Queue.unbounded<Event, Cause.Done>(), (queue) => ({ group, queue }))

const names = ["hall", "attic", "cellar"] as const

const Step = Schema.Struct({
  what: Schema.Literals(["join", "join", "join", "leave", "gone", "back"]),
  group: Schema.Literals(names),
  who: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))).check(Schema.isMaxLength(3))
})

const partsOf = ({ _tag, group, members }: Event): ReadonlyArray<unknown> => [_tag, group, members]

const isSame = (a: Process.HasProcess, b: Process.HasProcess): boolean => a[Process.processOf] === b[Process.processOf]

describe("a table of members", () => {
  it.effect.prop(
    "holds the members that the rules say, publishes every change, and observes its members alone",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const table = new MemberTable<string, Process.HasProcess>()
        const all = yield* listener(Option.none())
        const one = yield* listener(Option.some("attic"))
        table.listen(all)
        table.listen(one)
        const processes = [0, 1, 2].map((n) => new FakeProcess(String(n)))
        // Two references to each of three processes.
        const refs = [0, 1, 2, 3, 4, 5].map((name): Process.HasProcess & { readonly name: number } => ({
          name,
          [Process.processOf]: processes[name % 3]!
        }))
        /** What those have had that are down now. */
        const away: Array<readonly [group: string, ref: Process.HasProcess]> = []
        const model: Record<string, ReadonlyArray<Process.HasProcess>> = { hall: [], attic: [], cellar: [] }
        const everything: Array<ReadonlyArray<unknown>> = []
        const expected: Array<ReadonlyArray<unknown>> = []
        const leave = (
          group: string,
          leaving: ReadonlyArray<Process.HasProcess>
        ): ReadonlyArray<Process.HasProcess> => {
          const { left, members } = Membership.leave(model[group]!, leaving, isSame)
          model[group] = members
          if (left.length > 0) expected.push(["Left", group, left])
          return left
        }
        const giveUp = (group: string, leaving: ReadonlyArray<Process.HasProcess>): boolean => {
          const before = away.length
          for (const leaver of leaving) {
            const at = away.map(([name, ref]) => name === group && isSame(ref, leaver)).lastIndexOf(true)
            if (at >= 0) away.splice(at, 1)
          }
          return away.length < before
        }
        for (const { group, what, who } of steps) {
          const named = who.map((n) => refs[n]!)
          switch (what) {
            case "join":
              if (named.some((ref) => ref[Process.processOf].status === "stopped")) {
                assert.strictEqual(table.join(group, named)?._tag, "NotAlive")
                break
              }
              assert.isUndefined(table.join(group, named))
              model[group] = Membership.join(model[group]!, named)
              expected.push(["Joined", group, named])
              break
            case "leave": {
              const answer = table.leave(group, named)?._tag
              const some = [leave(group, named).length > 0, giveUp(group, named)].includes(true)
              assert.strictEqual(answer, some ? undefined : "NotJoined")
              break
            }
            case "gone": {
              const ended = processes[(who[0] ?? 0) % 3]!
              if (ended.status === "stopped") break
              ended.gone()
              // The order of its groups is left open.
              const seen = (yield* Queue.clear(all.queue)).map(partsOf)
              everything.push(...seen)
              const before = expected.splice(0)
              for (const group of names) {
                const left = leave(group, model[group]!.filter((ref) => ref[Process.processOf] === ended))
                for (const ref of [...left].reverse()) away.push([group, ref])
              }
              assert.deepStrictEqual(seen.slice(0, before.length), before)
              assert.sameDeepMembers(seen.slice(before.length), expected.splice(0))
              assert.strictEqual(ended.goneObservers.length, 0)
              break
            }
            case "back": {
              const returned = processes[(who[0] ?? 0) % 3]!
              if (returned.status !== "stopped") break
              const before = (yield* Queue.clear(all.queue)).map(partsOf)
              assert.deepStrictEqual(before, expected.splice(0))
              returned.returns()
              const seen = (yield* Queue.clear(all.queue)).map(partsOf)
              everything.push(...before, ...seen)
              const back = names.map((group) =>
                [group, away.filter(([name, ref]) => name === group && ref[Process.processOf] === returned)] as const
              ).filter(([, own]) => own.length > 0)
              assert.sameDeepMembers(seen, back.map(([group, own]) => ["Joined", group, own.map(([, ref]) => ref)]))
              for (const [group, own] of back) model[group] = Membership.join(model[group]!, own.map(([, ref]) => ref))
              away.splice(0, away.length, ...away.filter(([, ref]) => ref[Process.processOf] !== returned))
              break
            }
          }
          for (const name of names) assert.deepStrictEqual(table.of(name), model[name])
          assert.sameMembers(table.all().map(([name]) => name), names.filter((name) => model[name]!.length > 0))
          for (const process of processes) {
            const isMember = Object.values(model).flat().some((ref) => ref[Process.processOf] === process)
            assert.strictEqual(process.goneObservers.length, isMember ? 1 : 0)
          }
        }
        const seen = (yield* Queue.clear(all.queue)).map(partsOf)
        assert.deepStrictEqual(seen, expected)
        assert.deepStrictEqual(
          (yield* Queue.clear(one.queue)).map(partsOf),
          [...everything, ...seen].filter(([, group]) => group === "attic")
        )
        table.close()
        for (const process of processes) assert.strictEqual(process.goneObservers.length, 0)
      })
  )

  it("looks at no other member when one joins, leaves or ends, however many there are", () => {
    const table = new MemberTable<string, Process.HasProcess>()
    let looked = 0
    const others = Array.from({ length: 1000 }, (_, n): Process.HasProcess => {
      const process: Process.Process = new FakeProcess(String(n))
      return {
        get [Process.processOf]() {
          looked++
          return process
        }
      }
    })
    table.join("hall", others)
    const member = new FakeProcess("member")
    looked = 0
    table.join("hall", [member, member])
    table.leave("hall", [member])
    member.gone()
    assert.strictEqual(looked, 0)
    assert.deepStrictEqual(table.of("hall"), others)
  })

  it.effect("publishes a change to the listeners of its group alone", () =>
    Effect.gen(function*() {
      const table = new MemberTable<string, Process.HasProcess>()
      const [hall, attic, twice] = [
        yield* listener(Option.some("hall")),
        yield* listener(Option.some("attic")),
        yield* listener(Option.some("attic"))
      ]
      for (const each of [hall, attic, twice]) table.listen(each)
      const member = new FakeProcess("member")
      table.join("attic", [member])
      table.unlisten(twice)
      table.leave("attic", [member])
      const seen = (each: Listener<string, Process.HasProcess>) =>
        Effect.map(Queue.clear(each.queue), (events) => events.map(({ _tag }) => _tag))
      assert.deepStrictEqual(yield* seen(hall), [])
      assert.deepStrictEqual(yield* seen(attic), ["Joined", "Left"])
      assert.deepStrictEqual(yield* seen(twice), ["Joined"])
    }))
})
