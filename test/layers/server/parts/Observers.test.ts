/** The calls of observers of a process, by a server and by its supervisor alike. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { killed, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { Process } from "../../../../src/index.ts"
import { branch, Cell, gates, Top } from "../../../kit/Cell.ts"

const app = branch("a plain handler", gates())

const each: ReadonlyArray<readonly [string, Effect.Effect<Process.Process, never, Cell | Top>]> = [
  ["a server", Effect.map(Cell, (cell) => cell[Process.processOf])],
  ["a supervisor", Effect.map(Top, (top) => top[Process.processOf])]
]

for (const [who, find] of each) {
  describe(`observers of ${who}`, () => {
    it.effect("are called once, in the order in which they came; one that was taken off is not", () => {
      const seen: Array<string> = []
      return Effect.gen(function*() {
        const process = yield* find
        const exits = Array.from({ length: 9 }, (_, n) => () => void seen.push(`exit ${n}`))
        const ends = Array.from({ length: 9 }, (_, n) => () => void seen.push(`gone ${n}`))
        // The last one twice: it is kept once.
        for (const observer of [...exits, exits[8]!]) assert.isTrue(process.addExitObserver(observer))
        for (const observer of [...ends, ends[8]!]) assert.isTrue(process.addGoneObserver(observer))
        for (const n of [0, 3, 8]) process.removeExitObserver(exits[n]!)
        for (const n of [7, 0, 1]) process.removeGoneObserver(ends[n]!)
        process.exit(killed)
      }).pipe(
        // The server is started again, and gone with its tree.
        Effect.provide(app),
        Effect.andThen(Effect.sync(() => {
          assert.deepStrictEqual(seen, [
            ...[1, 2, 4, 5, 6, 7].map((n) => `exit ${n}`),
            ...[2, 3, 4, 5, 6, 8].map((n) => `gone ${n}`)
          ])
        }))
      )
    })

    it.effect("may take one another off, and come again, while they are called", () =>
      Effect.gen(function*() {
        const process = yield* find
        const seen: Array<string> = []
        const second = () => void seen.push("second")
        const again = () => void seen.push("again")
        const first = () => {
          seen.push("first")
          process.removeExitObserver(second)
          process.addExitObserver(again)
        }
        process.addExitObserver(first)
        process.addExitObserver(second)
        process.exit(shutdown)
        // The end is the one they were all there for: it calls each of them, and none that came after.
        assert.deepStrictEqual(seen, ["first", "second"])
      }).pipe(Effect.provide(app)))

    it.effect("are refused where there is nothing to wait for: a return while it is there, an end when it is gone", () =>
      Effect.gen(function*() {
        const never = () => assert.fail("it was refused")
        const process = yield* Effect.provide(
          Effect.tap(find, (process) => Effect.sync(() => assert.isFalse(process.addReturnObserver(never)))),
          app
        )
        assert.isFalse(process.addExitObserver(never))
        assert.isFalse(process.addGoneObserver(never))
        assert.isTrue(process.addReturnObserver(() => {}))
      }))
  })
}
