/** Whoever reads a state, and whenever they begin: all see the same, from the newest on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, StateTable, Supervisor } from "../../../../src/index.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Int,
  messages: {
    Add: GenServer.cast(),
    Sleep: GenServer.cast(),
    Die: GenServer.cast()
  }
}) {}

const kinds = {
  "in memory": StateContainer.layerMemory(Desk),
  "in memory, late": StateContainer.layerMemory(Desk, { when: { every: "1 second" } }),
  "in memory, at the end": StateContainer.layerMemory(Desk, { when: "terminate" }),
  "in a table": StateContainer.layerTable(Desk),
  "in a store": StateContainer.layerStore(Desk, { store: Store }),
  "in a store, late": StateContainer.layerStore(Desk, { store: Store, when: { every: "1 second" } }),
  "nowhere": StateContainer.layerForget(Desk)
}

const app = (kind: keyof typeof kinds, script: Scripted) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
    kinds[kind],
    Desk.layer({
      init: 0,
      handlers: {
        Add: (n) => n + 1,
        Sleep: (n) => Next.noReply(n + 1, { hibernate: true }),
        Die: () => Effect.die("boom")
      }
    })
  ]).pipe(Layer.provide([storeLayer(script), StateTable.StateTable.layer]))

const Op = Schema.Literals(["Add", "Add", "Add", "Sleep", "Die", "Wait", "WaitLong", "Hold", "Free", "Join"])

/** What is seen of a change; of what is restored or rolled back to, the state, as the first of a reader has it. */
const stateOf = (change: GenServer.Change<number>): string => {
  switch (change._tag) {
    case "Committed":
    case "Restored":
      return `${change.seq}: ${change.state}`
    case "RolledBack":
      return change.to === undefined ? "init" : `${change.to.seq}: ${change.to.state}`
    case "Ended":
      return "end"
  }
}
const textOf = (change: GenServer.Change<number>): string => `${change._tag} #${change.incarnation} ${stateOf(change)}`

for (const kind of Object.keys(kinds) as ReadonlyArray<keyof typeof kinds>) {
  describe(`a state ${kind}`, () => {
    it.effect.prop(
      "is seen alike by all who read it: from the newest on, in the same order, to the last",
      [Schema.Array(Op).check(Schema.isMinLength(8)), Schema.Literals(["stored", "committed"])],
      ([ops, drawn]) => {
        // What is stored at the end alone is not shown before.
        const show = kind === "in memory, at the end" ? "committed" : drawn
        const [script, gate] = [new Scripted(), Latch.makeUnsafe(true)]
        script.before = onSave(() => gate.await)
        return Effect.gen(function*() {
          const desk = yield* Desk
          let sum = 0
          /** `from` is what is committed by then; not known while a restart waits, and with it what was sent. */
          const readers: Array<{ readonly seen: Array<GenServer.Change<number>>; readonly from: number | undefined }> =
            []
          const join = Effect.gen(function*() {
            const seen: Array<GenServer.Change<number>> = []
            const changes = GenServer.changes(desk, { show, buffer: { capacity: "unbounded" } })
            yield* now(Stream.runForEach(changes, (change) => Effect.sync(() => seen.push(change))))
            yield* turns
            readers.push({ seen, from: (yield* Process.status(desk)) === "running" ? sum : undefined })
          })
          yield* join
          // What is not stored by a commit of its own is not shown there.
          for (const op of show === "stored" ? ["Add" as const, ...ops] : ops) {
            if (op === "Wait") yield* TestClock.adjust("300 millis")
            else if (op === "WaitLong") yield* TestClock.adjust("2 seconds")
            else if (op === "Hold") yield* gate.close
            else if (op === "Free") yield* gate.open
            else if (op === "Join") yield* join
            else yield* desk[op]()
            if (op === "Add" || op === "Sleep") sum++
            if (op === "Die" && kind === "nowhere") sum = 0
            yield* turns
          }
          yield* join
          yield* gate.open
          yield* TestClock.adjust("2 seconds")
          yield* turns
          const [first, ...others] = readers
          const all = first!.seen
          for (const { from, seen } of others) {
            const rest = all.slice(all.length + 1 - seen.length)
            assert.deepStrictEqual(seen.slice(1).map(textOf), rest.map(textOf))
            // While it is down, the newest is what it had.
            const newest = all.slice(0, all.length + 1 - seen.length).reverse().find(({ _tag }) => _tag !== "Ended")
            assert.strictEqual(stateOf(seen[0]!), stateOf(newest!))
            if (show === "committed" && from !== undefined) {
              assert.strictEqual(stateOf(seen[0]!).split(": ")[1], `${from}`)
            }
          }
          assert.strictEqual(stateOf(all.at(-1)!).split(": ")[1], `${sum}`)
          for (const change of all) {
            if (change._tag === "Committed" && show === "stored") {
              assert.isTrue(change.isConserved || kind === "nowhere")
            }
          }
        }).pipe(Effect.provide(app(kind, script)), quiet)
      },
      { arbitrary: { runs: Number(process.env["RUNS"] ?? 15) } }
    )
  })
}
