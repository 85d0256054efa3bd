/** A process that was down and is started again has its names and memberships; what it says of itself adds none. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Queue, Schema } from "effect"
import {
  GenServer,
  Groups,
  Next,
  PartitionSupervisor,
  Process,
  Registry,
  StateContainer,
  Supervisor
} from "../../../src/index.ts"
import { MemberTable } from "../../../src/layers/naming/MemberTable.ts"
import { NameTable } from "../../../src/layers/naming/NameTable.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"
import { quiet } from "../../kit/Log.ts"

class Room extends GenServer.Service<Room>()("test/Room", {
  state: Schema.Int,
  messages: { Next: GenServer.call({ reply: Schema.Int }), Fail: GenServer.call({}), Join: GenServer.call({}) }
}) {}

class Names extends Registry.Service<Names, { readonly ref: Room["Service"]; readonly value: number }>()(
  "test/Names",
  { keys: "unique" }
) {}
class Topics extends Registry.Service<Topics, { readonly value: number }>()("test/Topics", { keys: "duplicate" }) {}
class Rooms extends Groups.Service<Rooms>()("test/Rooms") {}
class Top extends Supervisor.Service<Top>()("test/Top") {}

const Naming = Layer.mergeAll(Names.layer, Topics.layer, Rooms.layer)

const handlers = {
  Next: (n: number) => [n + 1, n + 1] as const,
  Fail: () => Effect.die("boom"),
  Join: (n: number) =>
    Effect.gen(function*() {
      const self = yield* Room.self
      yield* (yield* Rooms).join("joined", self)
      yield* (yield* Topics).register("joined", self, 1)
      return [undefined, n] as const
    }).pipe(Effect.orDie)
}

/** A room that says of itself what it is, in each incarnation, as servers do in OTP. */
const itself = Effect.gen(function*() {
  const [names, topics, rooms, self] = [yield* Names, yield* Topics, yield* Rooms, yield* Room.self]
  yield* names.register("room", self, 1)
  yield* topics.register("topic", self, 1)
  yield* rooms.join("rooms", self)
}).pipe(Effect.orDie)

const plain = Room.behavior({ init: 0, handlers })
const idiomatic = Room.behavior({ init: Effect.as(itself, 0), handlers })

const tree = (behavior: typeof plain | typeof idiomatic, strategy: Supervisor.Options["strategy"] = "one_for_one") =>
  Layer.provideMerge(
    Top.layer({ strategy, restart: undefined }, [
      StateContainer.layerForget(Room),
      Supervisor.worker("first", Effect.never),
      Room.layer(behavior).pipe(Supervisor.child({ id: "room", needs: ["first"] }))
    ]),
    Naming
  )

type Services = Names | Topics | Rooms | Top | Room | StateContainer.StateOf<Room>

const run = <A, E>(body: Effect.Effect<A, E, Services>, layer: Layer.Layer<Services, unknown>) =>
  quiet(Effect.provide(body, layer))

/** What it is known by: its names, its topics, and the groups that it is in, as often as it is. */
const known = Effect.fnUntraced(function*(ref: Process.HasProcess) {
  const [names, topics, rooms] = [yield* Names, yield* Topics, yield* Rooms]
  const members = Effect.map(rooms.members("rooms"), (members) => members.map(() => "rooms"))
  return [...yield* names.keys(ref), ...yield* topics.keys(ref), ...yield* members]
})

const crash = (room: Room["Service"]) => Effect.exit(room.Fail())

describe("a server that was terminated and is started again by hand", () => {
  const named = Effect.gen(function*() {
    const [names, topics, rooms, room] = [yield* Names, yield* Topics, yield* Rooms, yield* Room]
    yield* names.register("room", room, 1)
    yield* topics.register("topic", room, 1)
    yield* topics.register("topic", room, 2)
    yield* rooms.join("rooms", [room, room])
    return { names, topics, rooms, room, top: yield* Top }
  })

  it.effect("has its names, with their values, and its memberships; listeners and monitors hear of both", () =>
    run(
      Effect.scoped(Effect.gen(function*() {
        const { names, room, rooms, top, topics } = yield* named
        const [changes, { events }] = [yield* topics.listen, yield* rooms.monitor("rooms")]
        yield* top.terminateChild("room")
        assert.deepStrictEqual(yield* known(room), [])
        assert.strictEqual((yield* Effect.flip(names.via("room").Next())).reason._tag, "NotRunning")
        yield* top.restartChild("room")
        assert.strictEqual(yield* names.via("room").Next(), 1)
        assert.deepStrictEqual(yield* known(room), ["room", "topic", "topic", "rooms", "rooms"])
        assert.deepStrictEqual(yield* topics.values("topic", room), [1, 2])
        assert.deepStrictEqual((yield* Queue.clear(changes)).map(({ _tag, value }) => `${_tag} ${value}`), [
          "Unregistered 1",
          "Unregistered 2",
          "Registered 1",
          "Registered 2"
        ])
        const heard = yield* Queue.clear(events)
        for (const { members } of heard) for (const member of members) assert.strictEqual(member, room)
        assert.deepStrictEqual(heard.map(({ _tag, members }) => [_tag, members.length]), [
          ["Left", 2],
          ["Joined", 2]
        ])
      })),
      tree(plain)
    ))

  it.effect("as often as it is", () =>
    run(
      Effect.gen(function*() {
        const { room, top } = yield* named
        for (let i = 0; i < 3; i++) {
          yield* top.terminateChild("room")
          yield* top.restartChild("room")
          yield* crash(room)
        }
        assert.deepStrictEqual(yield* known(room), ["room", "topic", "topic", "rooms", "rooms"])
        assert.strictEqual(yield* room.Next(), 1)
      }),
      tree(plain)
    ))

  it.effect("but none that was ended while it was down", () =>
    run(
      Effect.scoped(Effect.gen(function*() {
        const { names, room, rooms, top, topics } = yield* named
        yield* top.terminateChild("room")
        yield* names.unregister("room", room)
        assert.strictEqual(yield* topics.unregisterMatch("topic", room, (value) => value === 1), 0)
        yield* rooms.leave("rooms", room)
        yield* top.restartChild("room")
        assert.deepStrictEqual(yield* known(room), ["topic", "rooms"])
        assert.deepStrictEqual(yield* topics.values("topic", room), [2])
        yield* top.terminateChild("room")
        yield* rooms.leave("rooms", room)
        const error = yield* Effect.flip(rooms.leave("rooms", room))
        assert.strictEqual(error.reason._tag, "NotJoined")
        const { events } = yield* rooms.monitor("rooms")
        yield* top.restartChild("room")
        assert.deepStrictEqual([yield* known(room), yield* Queue.clear(events)], [["topic"], []])
      })),
      tree(plain)
    ))

  it.effect("nor a name that another process has taken since, or is being started under", () =>
    run(
      Effect.gen(function*() {
        const { names, room, top } = yield* named
        yield* top.terminateChild("room")
        const other = yield* names.start("room", top.startChild(Room.recipe(plain, { key: "other" })), 2)
        yield* top.restartChild("room")
        assert.deepStrictEqual(yield* known(room), ["topic", "topic", "rooms", "rooms"])
        assert.strictEqual(Option.getOrThrow(yield* names.whereis("room")), other)
        yield* names.unregister("room", other)
        yield* names.register("room", room, 3)
        yield* top.terminateChild("room")
        yield* names.start(
          "room",
          Effect.andThen(top.restartChild("room"), top.startChild(Room.recipe(plain, { key: "third" }))),
          3
        )
        assert.deepStrictEqual(yield* names.keys(room), [])
      }),
      tree(plain)
    ))
})

describe("a server that comes back", () => {
  const restarted: Record<string, (top: Top["Service"]) => Effect.Effect<unknown, unknown>> = {
    "after one that it stands on was terminated": (top) =>
      Effect.gen(function*() {
        yield* top.terminateChild("first")
        yield* top.terminateChild("room")
        yield* top.restartChild("first")
        yield* top.restartChild("room")
      }),
    "with its group": (top) => Effect.flatMap(top.whichChild("first"), ({ process }) => Process.kill(process))
  }
  for (const strategy of ["rest_for_one", "one_for_all", "dependents"] as const) {
    for (const [how, restart] of Object.entries(restarted)) {
      it.effect(`has its names: ${how} (${strategy})`, () =>
        run(
          Effect.gen(function*() {
            const [names, room] = [yield* Names, yield* Room]
            yield* names.register("room", room, 1)
            yield* restart(yield* Top)
            assert.strictEqual(yield* names.via("room").Next(), 1)
          }),
          tree(plain, strategy)
        ))
    }
  }

  it.effect("with its supervisor, which was terminated and started again, has its names: on any level", () =>
    quiet(
      Effect.gen(function*() {
        const [names, rooms, top] = [yield* Names, yield* Rooms, yield* Top]
        const room = yield* Room
        yield* names.register("room", room, 1)
        const workers = yield* top.startChild(
          Supervisor.recipe({ id: "made", strategy: "one_for_one" }, [Supervisor.workerRecipe("w", Effect.never)])
        )
        const { process } = yield* workers.whichChild("w")
        yield* rooms.join("rooms", [process, workers])
        for (const id of ["sub", "made"]) yield* top.terminateChild(id)
        assert.deepStrictEqual([yield* names.count, yield* rooms.members("rooms")], [0, []])
        for (const id of ["sub", "made"]) yield* top.restartChild(id)
        assert.strictEqual(yield* names.via("room").Next(), 1)
        assert.deepStrictEqual(
          (yield* rooms.members("rooms")).map((ref) => ref[Process.processOf]),
          [workers[Process.processOf], process]
        )
      }).pipe(Effect.provide(Layer.provideMerge(
        Top.layer({ strategy: "one_for_one" }, [
          StateContainer.layerForget(Room),
          Supervisor.layer({ id: "sub", strategy: "one_for_one" }, [Room.layer(plain)])
        ]),
        Naming
      )))
    ))

  it.effect("as a partition that is started again has its names", () =>
    quiet(
      Effect.gen(function*() {
        class Parts extends PartitionSupervisor.Service<Parts, Process.Process>()("test/Parts") {}
        const layer = Layer.provideMerge(
          Top.layer({ strategy: "one_for_one" }, [
            Parts.layer({ partitions: 2, child: (n) => Supervisor.workerRecipe(String(n), Effect.never) })
          ]),
          Rooms.layer
        )
        const context = yield* Layer.build(layer)
        const [parts, rooms, top] = [
          Context.get(context, Parts),
          Context.get(context, Rooms),
          Context.get(context, Top)
        ]
        const first = yield* parts.at(0)
        yield* rooms.join("rooms", first)
        yield* top.terminateChild("test/Parts")
        assert.deepStrictEqual(yield* rooms.members("rooms"), [])
        yield* top.restartChild("test/Parts")
        assert.strictEqual(yield* parts.at(0), first)
        assert.deepStrictEqual(yield* rooms.members("rooms"), [first])
      }).pipe(Effect.scoped)
    ))
})

describe("a server that registers itself and joins a group in init", () => {
  it.effect("holds each name and membership once, however often it crashes or is started again by hand", () =>
    run(
      Effect.scoped(Effect.gen(function*() {
        const [room, rooms, top] = [yield* Room, yield* Rooms, yield* Top]
        const { events } = yield* rooms.monitor("rooms")
        yield* crash(room)
        assert.deepStrictEqual(yield* Queue.clear(events), [], "no membership has changed")
        assert.deepStrictEqual(yield* known(room), ["room", "topic", "rooms"])
        for (let i = 0; i < 2; i++) {
          yield* crash(room)
          yield* top.terminateChild("room")
          yield* top.restartChild("room")
          assert.deepStrictEqual(yield* known(room), ["room", "topic", "rooms"])
        }
        assert.strictEqual(yield* Process.status(room), "running")
        assert.strictEqual(yield* Process.incarnation(room), 6)
      })),
      tree(idiomatic)
    ))

  it.effect("has in addition what others have it join or register", () =>
    run(
      Effect.gen(function*() {
        const [room, rooms, topics] = [yield* Room, yield* Rooms, yield* Topics]
        yield* rooms.join("rooms", room)
        yield* topics.register("topic", room, 2)
        yield* crash(room)
        assert.deepStrictEqual(yield* known(room), ["room", "topic", "topic", "rooms", "rooms"])
        yield* rooms.join("rooms", room)
        yield* topics.register("topic", room, 3)
        assert.deepStrictEqual(yield* topics.values("topic", room), [1, 2, 3])
        yield* crash(room)
        assert.deepStrictEqual(yield* known(room), ["room", ...Array(3).fill("topic"), ...Array(3).fill("rooms")])
      }),
      tree(idiomatic)
    ))

  it.effect("as often in one incarnation as it does, as in OTP", () =>
    run(
      Effect.gen(function*() {
        const [room, rooms, topics] = [yield* Room, yield* Rooms, yield* Topics]
        const counts = Effect.zip(
          Effect.map(rooms.members("joined"), (members) => members.length),
          topics.countMatch("joined", () => true)
        )
        yield* room.Join()
        yield* room.Join()
        assert.deepStrictEqual(yield* counts, [2, 2])
        yield* crash(room)
        // Those of before stay, and are what the next incarnation joins again.
        assert.deepStrictEqual(yield* counts, [2, 2])
        yield* room.Join()
        yield* room.Join()
        assert.deepStrictEqual(yield* counts, [2, 2])
        yield* room.Join()
        assert.deepStrictEqual(yield* counts, [3, 3])
      }),
      tree(plain)
    ))

  it.effect("or in the work that goes on from it", () => {
    const continued = Room.behavior({
      init: Next.start(0, { continueWith: (n) => Effect.as(itself, n) }),
      handlers
    })
    return run(
      Effect.gen(function*() {
        const room = yield* Room
        yield* room.Next()
        yield* crash(room)
        yield* room.Next()
        assert.deepStrictEqual(yield* known(room), ["room", "topic", "rooms"])
      }),
      tree(continued)
    )
  })

  it.effect("with the value that it gave last", () =>
    run(
      Effect.gen(function*() {
        const [names, room] = [yield* Names, yield* Room]
        yield* names.register("room", room, 7)
        assert.deepStrictEqual(yield* names.values("room", room), [7])
        const other = yield* (yield* Top).startChild(Room.recipe(plain, { key: "other" }))
        assert.strictEqual((yield* Effect.flip(names.register("room", other, 8))).reason._tag, "AlreadyRegistered")
      }),
      tree(idiomatic)
    ))

  it.effect("does not start, as in OTP, when another process has taken the name meanwhile", () =>
    run(
      Effect.gen(function*() {
        const [names, top] = [yield* Names, yield* Top]
        yield* top.terminateChild("room")
        yield* names.start("room", top.startChild(Room.recipe(plain, { key: "other" })), 2)
        assert.include(
          String(yield* Effect.exit(top.restartChild("room"))),
          "key \"room\": taken by test/Top > test/Room/other"
        )
      }),
      tree(idiomatic)
    ))
})

it.effect("another process under the id of one that was deleted has none of its names", () =>
  quiet(
    Effect.gen(function*() {
      const context = yield* Layer.build(Layer.provideMerge(Top.layer({ strategy: "one_for_one" }, []), Naming))
      const [rooms, top, topics] = [
        Context.get(context, Rooms),
        Context.get(context, Top),
        Context.get(context, Topics)
      ]
      const recipe = Supervisor.workerRecipe("w", Effect.never)
      const first = yield* top.startChild(recipe)
      yield* topics.register("topic", first, 1)
      yield* rooms.join("rooms", first)
      yield* top.terminateChild("w")
      yield* top.deleteChild("w")
      const second = yield* top.startChild(recipe)
      assert.deepStrictEqual(yield* topics.keys(second), [])
      assert.deepStrictEqual(yield* rooms.members("rooms"), [])
    }).pipe(Effect.scoped)
  ))

it("a process that comes back finds a registry, and groups, that were closed meanwhile closed", () => {
  const process = new FakeProcess("p")
  const names = new NameTable<string, Process.HasProcess, number>("unique")
  const members = new MemberTable<string, Process.HasProcess>()
  names.register("name", process, 1)
  members.join("group", [process])
  process.gone()
  names.close()
  members.close()
  process.returns()
  assert.deepStrictEqual([names.all(), members.all(), process.goneObservers], [[], [], []])
})
