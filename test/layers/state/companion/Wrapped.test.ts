/** Companions that wrap another: one that conserves late, and one that is watched; and the rows of a table. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Option } from "effect"
import { crashed, type ExitReason, killed, normal } from "../../../../src/domain/process/ExitReason.ts"
import type { Activity } from "../../../../src/domain/state/Recovery.ts"
import type { Change } from "../../../../src/domain/state/shown/Change.ts"
import { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import type { Timers } from "../../../../src/domain/state/Timers.ts"
import type { Held, Latest, Taken } from "../../../../src/layers/state/companion/Companion.ts"
import { Forgetful } from "../../../../src/layers/state/companion/Forgetful.ts"
import { RefCompanion, restOf } from "../../../../src/layers/state/companion/RefCompanion.ts"
import { TableRows } from "../../../../src/layers/state/companion/TableRows.ts"
import { type Reader, Watched } from "../../../../src/layers/state/companion/Watched.ts"
import { WriteBehindCompanion } from "../../../../src/layers/state/companion/WriteBehindCompanion.ts"
import { FakeProcess } from "../../../kit/FakeProcess.ts"

const ring: Timers = [{ name: "t", due: 5, message: "Ring", payload: {} }]
const answer = (id: string) => ({ id, at: 1, body: id })

/** A companion in memory, which says what it was asked for. */
class Inner extends RefCompanion<number> {
  readonly asked: Array<string> = []

  constructor(policy: Parameters<typeof restOf>[0] = undefined, due: Parameters<typeof restOf>[1] = undefined) {
    super("a", restOf(policy, due))
  }

  override commit(...args: Parameters<RefCompanion<number>["commit"]>): boolean {
    const [incarnation, state, by, besides] = args
    const beside = besides === undefined ? "" : ` ${JSON.stringify(besides)}`
    const isTaken = super.commit(...args)
    this.asked.push(`${isTaken ? "commit" : "refused"} ${state} by ${by} of ${incarnation}${beside}`)
    return isTaken
  }

  override follow(stored: () => void): void {
    this.asked.push("follow")
    super.follow(stored)
  }

  override forget(): void {
    this.asked.push("forget")
    super.forget()
  }

  override begun(state: number): void {
    this.asked.push(`begun ${state}`)
  }

  override passivate(): void {
    this.asked.push("passivate")
  }

  override residency(state: number): "kept" | "stored" {
    return state === 7 ? "stored" : "kept"
  }
}

const told = () => {
  const log: Array<string> = []
  const follower = (name: string) => [() => log.push(`${name} stored`), () => log.push(`${name} lost`)] as const
  return { log, follower }
}

const late = (needsEnd = false, inner = new Inner()) => {
  const waiting = new Set<WriteBehindCompanion<number>>()
  return { inner, waiting, companion: new WriteBehindCompanion<number>(inner, needsEnd, waiting) }
}

describe("a companion that conserves late", () => {
  it("hands on the newest state alone when it is flushed, once, with the reason that proves most", () => {
    const cases = [
      [["call", "callback"], "call"],
      [["cast", "callback"], "cast"],
      [["callback", "call"], "call"],
      [["callback", "person"], "person"],
      [["call", "cast"], "call"],
      [["person", "callback"], "person"],
      [["callback"], "callback"]
    ] as const
    for (const [origins, by] of cases) {
      const { companion, inner } = late()
      origins.forEach((one, i) => assert.isTrue(companion.commit(1, i, one)))
      assert.deepStrictEqual(inner.asked, [])
      companion.flush()
      companion.flush()
      assert.deepStrictEqual(inner.asked, [`commit ${origins.length - 1} by ${by} of 1`])
    }
  })

  it("waits among those that are late while something is pending, unless it needs an end", () => {
    const [one, other] = [late(), late(true)]
    for (const { companion } of [one, other]) companion.commit(1, 1, "call")
    assert.deepStrictEqual([...one.waiting], [one.companion])
    assert.strictEqual(other.waiting.size, 0)
    one.waiting.clear()
    one.companion.commit(1, 2, "call")
    // It is there already for what is pending.
    assert.strictEqual(one.waiting.size, 0)
    one.companion.flush()
    one.companion.commit(1, 3, "call")
    assert.strictEqual(one.waiting.size, 1)
  })

  it("brings all that was recorded meanwhile, and the timers that were set last", () => {
    const { companion, inner } = late()
    assert.deepStrictEqual(companion.timers, [])
    companion.commit(1, 1, "call", { answers: [answer("a")] })
    companion.commit(1, 2, "call", { timers: ring })
    companion.commit(1, 3, "call", { answers: [answer("b")] })
    companion.commit(1, 4, "call")
    assert.deepStrictEqual(companion.timers, ring)
    assert.strictEqual(companion.recorded("a")?.body, "a")
    assert.isUndefined(companion.recorded("c"))
    companion.flush()
    const answers = ["a", "b"].map((id) => ({ id, seq: 0, at: 1, body: id }))
    assert.deepStrictEqual(inner.asked, [`commit 4 by call of 1 ${JSON.stringify({ answers, timers: ring })}`])
    assert.strictEqual(companion.recorded("b")?.seq, 1)
    assert.deepStrictEqual(companion.timers, ring)
    companion.commit(1, 5, "call", { timers: [] })
    assert.deepStrictEqual(companion.timers, [])
    companion.flush()
    assert.strictEqual(inner.asked[1], `commit 5 by call of 1 {"timers":[]}`)
  })

  it("brings answers alone, and as many of them as there may be on record", () => {
    const inner = new Inner()
    const companion = new WriteBehindCompanion<number>(inner, false, new Set(), { maxCount: 1, maxAge: 1000 })
    companion.commit(1, 1, "call", { answers: [answer("a"), answer("b")] })
    companion.flush()
    const answers = [{ id: "b", seq: 0, at: 1, body: "b" }]
    assert.deepStrictEqual(inner.asked, [`commit 1 by call of 1 ${JSON.stringify({ answers })}`])
  })

  it("a new incarnation gets what was only waiting for its interval, and not what needed an end that did not come", () => {
    for (const needsEnd of [false, true]) {
      const { companion, inner } = late(needsEnd)
      companion.commit(1, 1, "call")
      assert.strictEqual(companion.latest.isPending, true)
      const taken = companion.takeOver(2)
      const expected = needsEnd ? "Init" : "Restore"
      assert.strictEqual(!Effect.isEffect(taken) && taken.decision._tag, expected)
      assert.deepStrictEqual(inner.asked, needsEnd ? [] : ["commit 1 by call of 1"])
      assert.isFalse(companion.latest.isPending)
      const asked = inner.asked.length
      companion.conclude(2, 0)
      assert.lengthOf(inner.asked, asked)
      assert.isFalse(companion.commit(1, 9, "call"))
      assert.isTrue(companion.commit(2, 2, "call"))
      assert.strictEqual(companion.youngest, 2)
    }
  })

  it("an incarnation that is abandoned is fenced off, what it committed until then counts", () => {
    for (const needsEnd of [false, true]) {
      const { companion, inner } = late(needsEnd)
      companion.commit(3, 1, "call")
      companion.fenceOff(3)
      assert.deepStrictEqual(inner.asked, needsEnd ? [] : ["commit 1 by call of 3"])
      assert.isFalse(companion.commit(3, 2, "call"))
      companion.fenceOff(1)
      assert.isFalse(companion.commit(3, 2, "call"))
      assert.isTrue(companion.commit(4, 2, "call"))
      assert.strictEqual(inner.youngest, 4)
    }
  })

  it("an end that runs terminate writes what is pending; that of one that was fenced off does not", () => {
    const { companion, inner } = late(true)
    companion.conclude(1, 0)
    companion.takeOver(2)
    companion.commit(2, 7, "cast")
    companion.conclude(1, 7)
    assert.deepStrictEqual(inner.asked, [])
    companion.conclude(2, 7)
    assert.deepStrictEqual(inner.asked, ["commit 7 by cast of 2"])
  })

  it("who follows hears of it when it is handed on, or given up", () => {
    const { follower, log } = told()
    const { companion, inner } = late()
    companion.follow(...follower("none"))
    assert.deepStrictEqual(log, ["none stored"])
    companion.commit(1, 1, "call")
    companion.follow(...follower("a"))
    companion.follow(...follower("b"))
    assert.lengthOf(log, 1)
    companion.flush()
    assert.deepStrictEqual(log.splice(1), ["a stored", "b stored"])
    assert.deepStrictEqual(inner.asked.slice(-2), ["follow", "follow"])
    companion.commit(1, 2, "call")
    companion.forget()
    assert.strictEqual(inner.asked.at(-1), "forget")
    for (
      const give of [
        () => companion.forget(),
        () => Effect.runSync(companion.set(9)),
        () => Effect.runSync(companion.clear)
      ]
    ) {
      companion.commit(1, 2, "call")
      companion.follow(...follower("c"))
      give()
      assert.deepStrictEqual(log.splice(1), ["c lost"])
      companion.flush()
      assert.notInclude(inner.asked.at(-1), "commit 2")
    }
    assert.include(inner.asked, "commit 9 by person of 0")
    assert.include(inner.asked, "forget")
  })

  it("says of the newest commit that it is pending, is no spare then, and never has anyone wait", () => {
    const { companion, inner } = late()
    const owner = new FakeProcess("a")
    companion.owner = owner
    assert.strictEqual(inner.owner, owner)
    assert.isTrue(companion.isSpare)
    companion.commit(1, 1, "call")
    assert.isFalse(companion.isSpare)
    assert.deepInclude(companion.latest, { isConserved: false, isPending: true, stored: 0, held: 0 })
    companion.flush()
    assert.deepStrictEqual(companion.latest, inner.latest)
    assert.isFalse(companion.isSpare)
    assert.strictEqual(companion.seq, 1)
    const log: Array<string> = []
    const held: Held = { isGone: false, stored: () => log.push("stored"), lost: () => log.push("lost") }
    companion.hold(held)
    companion.confirm(held)
    companion.whenRoom(() => log.push("room"))
    assert.deepStrictEqual(log, ["stored", "stored", "room"])
    assert.deepStrictEqual([companion.isBehind, companion.isFull, companion.residency(1)], [false, false, "kept"])
    assert.strictEqual(companion.noTimers, inner.noTimers)
    assert.include(late(true).companion.noTimers, "when: \"terminate\"")
    assert.deepStrictEqual(Effect.runSync(companion.get), Option.some(1))
    assert.lengthOf(Effect.runSync(companion.snapshots), 1)
  })
})

/** A companion that is behind: its commits are stored when a test says so. */
class Behind extends Inner {
  storedSeq = 0
  followers: Array<readonly [stored: () => void, lost: () => void]> = []

  override get latest(): Latest {
    const isPending = this.seq > this.storedSeq
    const store = { name: "s", key: "a" }
    return { ...super.latest, isPending, isConserved: !isPending, stored: this.storedSeq, store }
  }

  override follow(stored: () => void, lost: () => void = () => {}): void {
    this.followers.push([stored, lost])
  }

  settle(seq: number, isStored = true): void {
    const { followers } = this
    this.followers = []
    this.storedSeq = seq
    for (const [stored, lost] of followers) {
      if (isStored) stored()
      else lost()
    }
  }
}

class Recorder implements Reader<number> {
  readonly seen: Array<string> = []

  changed(change: Change<number>): void {
    const kept = "isConserved" in change && change.isConserved ? "!" : ""
    const of = `#${change.incarnation}`
    switch (change._tag) {
      case "Ended":
        return void this.seen.push(`Ended ${of} ${change.reason._tag}`)
      case "RolledBack": {
        const to = change.to === undefined ? "init" : `${change.to.seq}=${change.to.state}`
        return void this.seen.push(`RolledBack ${of} ${change.from} to ${to}: ${change.why}`)
      }
      default:
        this.seen.push(`${change._tag} ${of} ${change.seq}=${change.state}${kept}`)
    }
  }

  stored(upTo: number): void {
    this.seen.push(`stored ${upTo}`)
  }

  lost(): void {
    this.seen.push("lost")
  }

  released(server: FakeProcess, isOver: boolean): void {
    this.seen.push(`released ${server.id} ${isOver}`)
  }

  ended(): void {
    this.seen.push("over")
  }

  take(): ReadonlyArray<string> {
    return this.seen.splice(0)
  }
}

const watching = <I extends Inner>(inner: I, inMemory: Option.Option<number> = Option.none()) => {
  const watched = new Watched<number>(inner)
  const reader = new Recorder()
  watched.join(reader, inMemory)
  return { inner, reader, watched }
}

const inCallback: { restored: number; handled: boolean; activity: Activity } = {
  restored: 1,
  handled: false,
  activity: { _tag: "InCallback", callback: "restore", why: "boom" }
}

describe("a companion that is watched", () => {
  it("shows each commit that changes the state, and no other, nor one that is refused", () => {
    const { inner, reader, watched } = watching(new Inner(), Option.some(1))
    watched.begun(1)
    assert.deepStrictEqual(reader.take(), ["Committed #0 0=1!"])
    assert.deepStrictEqual(inner.asked, ["begun 1"])
    assert.isTrue(watched.commit(1, 2, "call"))
    assert.isTrue(watched.commit(1, 2, "call"))
    assert.isTrue(watched.commit(1, 2, "call", { answers: [answer("a")] }))
    assert.deepStrictEqual(reader.take(), ["Committed #1 1=2!", "Committed #1 2=2!"])
    watched.takeOver(2)
    reader.take()
    assert.isFalse(watched.commit(1, 3, "call"))
    assert.deepStrictEqual(reader.take(), [])
  })

  it("a reader that joins with a state in memory is not shown it again, one without is", () => {
    const { inner, reader, watched } = watching(new Inner())
    inner.commit(1, 5, "call")
    const other = new Recorder()
    watched.join(other, Option.some(5))
    watched.commit(1, 5, "call")
    assert.deepStrictEqual([reader.take(), other.take()], [[], []])
    watched.join(new Recorder(), Option.some(6))
    watched.commit(1, 5, "call")
    assert.deepStrictEqual(other.take(), [])
    watched.passivate()
    assert.include(inner.asked, "passivate")
    watched.commit(1, 5, "call")
    assert.deepStrictEqual(other.take(), ["Committed #1 1=5!"])
  })

  it("shows what a person sets, under the number of the incarnation that it is of", () => {
    const { reader, watched } = watching(new Inner())
    watched.takeOver(4)
    Effect.runSync(watched.set(7))
    assert.deepStrictEqual(reader.take(), ["Committed #4 1=7!"])
    Effect.runSync(watched.set(7))
    assert.deepStrictEqual(reader.take(), [])
    assert.deepStrictEqual(Effect.runSync(watched.get), Option.some(7))
    // One that keeps nothing has no books to say so.
    const forgetful = new Watched<number>(new Forgetful("a"))
    forgetful.join(reader, Option.none())
    forgetful.takeOver(4)
    Effect.runSync(forgetful.set(7))
    assert.deepStrictEqual(reader.take(), ["Committed #4 0=7"].map((one) => `${one}!`))
  })

  it("says of what is not stored that it is not, and when it is, and follows on while more is", () => {
    const { inner, reader, watched } = watching(new Behind())
    watched.begun(0)
    assert.deepStrictEqual(reader.take(), ["Committed #0 0=0"])
    watched.commit(1, 1, "call")
    watched.commit(1, 2, "call")
    assert.deepStrictEqual(reader.take(), ["Committed #1 1=1", "Committed #1 2=2"])
    assert.lengthOf(inner.followers, 1)
    inner.settle(1)
    assert.deepStrictEqual(reader.take(), ["stored 1"])
    assert.lengthOf(inner.followers, 1)
    inner.settle(2)
    assert.deepStrictEqual(reader.take(), ["stored 2"])
    assert.lengthOf(inner.followers, 0)
    watched.commit(1, 3, "call")
    inner.settle(2, false)
    assert.deepStrictEqual(reader.take(), ["Committed #1 3=3", "lost"])
    assert.lengthOf(inner.followers, 0)
    // The next commit is followed again; so does one who joins while something is on its way.
    watched.commit(1, 4, "call")
    assert.lengthOf(inner.followers, 1)
    inner.settle(4)
    inner.commit(1, 5, "call")
    watched.join(new Recorder(), Option.none())
    watched.join(new Recorder(), Option.none())
    assert.lengthOf(inner.followers, 1)
  })

  it("a commit that waits to be handed on has the number that it will have", () => {
    const inner = new Inner()
    const { reader, watched } = {
      reader: new Recorder(),
      watched: new Watched(new WriteBehindCompanion<number>(inner, false, new Set()))
    }
    watched.join(reader, Option.none())
    watched.begun(1)
    reader.take()
    // What `init` has made was shown.
    watched.commit(1, 1, "call")
    assert.deepStrictEqual(reader.take(), [])
    watched.commit(1, 2, "call")
    watched.commit(1, 3, "call")
    assert.deepStrictEqual(reader.take(), ["Committed #1 1=2", "Committed #1 1=3"])
  })

  it("shows what an incarnation starts from: restored, rolled back, or init after all", () => {
    const { inner, reader, watched } = watching(new Inner({ onSuspect: "rollback", callbacks: 1 } as never))
    watched.takeOver(1)
    assert.deepStrictEqual(reader.take(), [])
    watched.commit(1, 1, "call")
    watched.commit(1, 2, "call")
    reader.take()
    watched.takeOver(2)
    assert.deepStrictEqual(reader.take(), ["Restored #2 2=2!"])
    watched.commit(2, 2, "call")
    assert.deepStrictEqual(reader.take(), [])
    const bad = (incarnation: number, restored: number) => {
      for (let i = 0; i < 9; i++) watched.observe(crashed(Cause.die("boom")), { ...inCallback, restored })
      watched.takeOver(incarnation)
    }
    inner.commit(2, 3, "call")
    bad(3, 3)
    const [ended, rolled] = reader.take()
    assert.strictEqual(ended, "Ended #2 Crashed")
    assert.match(rolled!, /^RolledBack #3 3 to 2=2: /)
    assert.deepStrictEqual(Effect.runSync(watched.aside).map(({ seq }) => seq), [3])
    watched.commit(3, 2, "callback")
    assert.deepStrictEqual(reader.take(), [])
    const alone = watching(new Inner({ onSuspect: "rollback" }))
    alone.inner.commit(1, 1, "call")
    for (let i = 0; i < 9; i++) alone.watched.observe(crashed(Cause.die("boom")), inCallback)
    const taken = alone.watched.takeOver(2)
    assert.strictEqual(!Effect.isEffect(taken) && taken.decision._tag, "Init")
    assert.match(alone.reader.take().at(-1)!, /^RolledBack #2 1 to init: /)
  })

  it("shows what is restored by a store, too, and follows what is on its way", () => {
    const inner = new Behind()
    const asking = Object.assign(inner, {
      takeOver: (incarnation: number) => Effect.sync(() => RefCompanion.prototype.takeOver.call(inner, incarnation))
    })
    inner.commit(1, 4, "call")
    const { reader, watched } = watching(asking)
    inner.followers = []
    inner.settle(0)
    const taken = watched.takeOver(2)
    assert.isTrue(Effect.isEffect(taken))
    assert.deepStrictEqual(reader.take(), [])
    const done = Effect.runSync(taken as Effect.Effect<Taken<number>>)
    assert.strictEqual(done.decision._tag, "Restore")
    assert.deepStrictEqual(reader.take(), ["Restored #2 1=4"])
    watched.commit(2, 4, "call")
    assert.deepStrictEqual(reader.take(), [])
  })

  it("follows what is on its way when it starts from it", () => {
    const { inner, reader, watched } = watching(new Behind())
    inner.commit(1, 4, "call")
    watched.takeOver(2)
    assert.lengthOf(inner.followers, 1)
    inner.settle(1)
    assert.deepStrictEqual(reader.take(), ["Restored #2 1=4", "stored 1"])
  })

  it("shows each end once, and that of an incarnation that is left behind", () => {
    const { reader, watched } = watching(new Inner())
    const server = new FakeProcess("a")
    watched.owner = server
    assert.strictEqual(watched.inner.owner, server)
    watched.takeOver(1)
    const end = (reason: ExitReason) => watched.observe(reason, { ...inCallback, activity: { _tag: "Idle" } as never })
    end(normal)
    end(killed)
    watched.fenceOff(1)
    assert.deepStrictEqual(reader.take(), ["Ended #1 Normal"])
    server.incarnation = 2
    watched.fenceOff(1)
    assert.deepStrictEqual(reader.take(), [])
    watched.fenceOff(2)
    assert.deepStrictEqual(reader.take(), ["Ended #2 Killed"])
    assert.strictEqual(watched.youngest, 3)
    // None has begun yet.
    const fresh = watching(new Inner())
    fresh.watched.fenceOff(0)
    assert.deepStrictEqual(fresh.reader.take(), [])
    fresh.watched.takeOver(1)
    fresh.watched.fenceOff(1)
    assert.deepStrictEqual(fresh.reader.take(), ["Ended #1 Killed"])
  })

  it("has all its readers hear, until they leave; it is no spare as long as there is one", () => {
    const { reader, watched } = watching(new Inner())
    const other = new Recorder()
    watched.join(other, Option.none())
    const server = new FakeProcess("a")
    watched.released(server, true)
    watched.close()
    assert.deepStrictEqual([reader.take(), other.take()], [["released a true", "over"], ["released a true", "over"]])
    assert.isTrue(watched.isWatched)
    assert.isFalse(watched.isSpare)
    watched.leave(other)
    assert.isTrue(watched.isWatched)
    watched.leave(reader)
    assert.isFalse(watched.isWatched)
    assert.isTrue(watched.isSpare)
    watched.released(server, false)
    assert.deepStrictEqual([reader.take(), other.take()], [[], []])
    watched.commit(1, 1, "call")
    assert.isFalse(watched.isSpare)
  })

  it("is the companion that it wraps in all else", () => {
    const due = { set: () => {} }
    const { inner, watched } = watching(new Inner(undefined, due))
    watched.takeOver(2)
    watched.commit(2, 1, "call", { answers: [answer("a")], timers: ring })
    assert.deepStrictEqual(
      [watched.key, watched.seq, watched.youngest, watched.timers, watched.noTimers, watched.recorded("a")?.body],
      ["a", 1, 2, ring, undefined, "a"]
    )
    assert.deepStrictEqual([watched.isBehind, watched.isFull, watched.undone, watched.outage], [
      false,
      false,
      0,
      undefined
    ])
    assert.deepStrictEqual(watched.latest, inner.latest)
    const log: Array<string> = []
    const held: Held = { isGone: false, stored: () => log.push("stored"), lost: () => log.push("lost") }
    watched.hold(held)
    watched.confirm(held)
    watched.whenRoom(() => log.push("room"))
    watched.follow(() => log.push("followed"), () => {})
    assert.deepStrictEqual(log, ["stored", "stored", "room", "followed"])
    assert.deepStrictEqual([watched.residency(1), watched.residency(7)], ["kept", "stored"])
    assert.strictEqual(new Watched(new Inner()).noTimers, "nothing delivers them")
    const outage = new StoreError({ store: "s", operation: "save", reason: { _tag: "Unavailable", cause: "away" } })
    assert.strictEqual(new Watched(Object.defineProperty(new Inner(), "outage", { value: outage })).outage, outage)
    assert.deepStrictEqual(Effect.runSync(watched.get), Option.some(1))
    assert.lengthOf(Effect.runSync(watched.snapshots), 1)
    Effect.runSync(watched.clear)
    assert.deepStrictEqual(Effect.runSync(watched.get), Option.none())
    watched.commit(2, 3, "call")
    watched.forget()
    assert.strictEqual(inner.asked.at(-1), "forget")
  })
})

describe("the rows of a table", () => {
  it("are there while they hold a value, or a companion holds them", () => {
    const rows = new TableRows()
    assert.isUndefined(rows.get("a"))
    rows.put("a", 1)
    rows.put("a", 2)
    assert.deepInclude(rows.get("a"), { state: 2, seq: 2, incarnation: 0 })
    assert.deepStrictEqual(rows.names, ["a"])
    const cell = rows.attach("a")
    rows.remove("a")
    rows.remove("b")
    assert.deepStrictEqual([rows.names, rows.get("a")], [[], undefined])
    // It is the same row for who holds it, and its numbers go on.
    assert.strictEqual(rows.attach("a"), cell)
    rows.put("a", 3)
    assert.deepInclude(rows.get("a"), { state: 3, seq: 3 })
    rows.detach("a")
    rows.remove("a")
    assert.strictEqual(rows.attach("a"), cell)
    rows.detach("a")
    rows.detach("a")
    rows.detach("b")
    assert.notStrictEqual(rows.attach("a"), cell)
    rows.put("d", 1)
    const before = rows.attach("d")
    rows.detach("d")
    rows.remove("d")
    assert.notStrictEqual(rows.attach("d"), before)
    // With a value it stays, whoever lets go.
    rows.put("c", 1)
    const other = rows.attach("c")
    rows.detach("c")
    assert.strictEqual(rows.attach("c"), other)
  })
})
