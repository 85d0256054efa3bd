/** A client that remembers every acknowledgement, while the process behind the servers is killed again and again. */
import { Effect, Random } from "effect"
import { digestOf } from "./Journal.ts"
import { start } from "./Processes.ts"

/** What came of a run. */
export interface Outcome {
  readonly kills: number
  readonly acknowledged: number
  /** Acknowledgements whose entries were not in the store, or were given twice; and journals that are not whole. */
  readonly wrong: ReadonlyArray<string>
}

/** The journals that are kept. */
export const keys = ["a", "b", "c/d", "ü%"]

/** One journal, as the client knows it. */
class Known {
  /** The highest number acknowledged. */
  acknowledged = 0
  count = 0
  private last = 0
  private digest = 0

  /** The store says where it stands: everything acknowledged is there, and everything before. */
  found(key: string, last: number, digest: number): ReadonlyArray<string> {
    const wrong: Array<string> = []
    if (last < this.acknowledged) wrong.push(`${key}: ${this.acknowledged} was acknowledged, and it stands at ${last}`)
    while (this.last < last) this.digest = digestOf(this.digest, ++this.last)
    if (this.digest !== digest) wrong.push(`${key}: the journal up to ${last} is not whole`)
    return wrong
  }

  acknowledge(key: string, entry: number): ReadonlyArray<string> {
    this.count++
    const isNew = entry > this.acknowledged
    this.acknowledged = Math.max(this.acknowledged, entry)
    return isNew ? [] : [`${key}: ${entry} was acknowledged twice`]
  }
}

/**
 * Kills the process so often, at moments drawn at random, and starts it again; then starts it once more to look.
 *
 * One process in six is killed while it is starting, but not the first: something is acknowledged.
 */
export const killJournals = Effect.fnUntraced(function*(
  program: string,
  place: string,
  kills: number,
  when: "commit" | "late" = "commit"
) {
  const known = new Map(keys.map((key) => [key, new Known()]))
  const wrong: Array<string> = []
  const look = (lines: ReadonlyArray<string>) => {
    for (const line of lines) {
      const [word, key = "", number, digest] = line.split(" ")
      if (word === "at") wrong.push(...known.get(key)!.found(key, Number(number), Number(digest)))
      else if (word === "ack") wrong.push(...known.get(key)!.acknowledge(key, Number(number)))
    }
  }
  for (let i = 0; i < kills; i++) {
    const running = yield* start(program, [place, when, "3", ...keys])
    if (i > 0 && (yield* Random.nextIntBetween(0, 6)) === 0) yield* Effect.sleep(yield* Random.nextIntBetween(0, 200))
    else {
      yield* running.printed("ready")
      yield* running.printed("ack ", 3 + (yield* Random.nextIntBetween(0, 100)))
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
    }
    const end = yield* running.kill
    look(running.lines)
    if (end !== "SIGKILL") return yield* Effect.die(new Error(`it ended by itself (${end}): ${running.errors()}`))
  }
  const last = yield* start(program, [place, when, "0", ...keys])
  yield* last.printed("ready")
  yield* last.kill
  look(last.lines)
  const acknowledged = [...known.values()].reduce((sum, one) => sum + one.count, 0)
  return { kills, acknowledged, wrong } satisfies Outcome
}, Effect.scoped)
