import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Cause, HashMap, Option, Order, Schema } from "effect"
import type { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import * as SystemView from "../../../src/domain/observation/SystemView.ts"
import { crashed, normal } from "../../../src/domain/process/ExitReason.ts"

const boom = crashed(Cause.die(new Error("boom")))
const root = { path: ["ProcSupervisor"], at: 0, kind: "supervisor", incarnation: 1 } as const
const container = { path: ["ProcSupervisor", "StateContainer"], at: 1, kind: "worker", incarnation: 1 } as const
const server = (incarnation: number) =>
  ({ path: ["ProcSupervisor", "Server"], at: 2, kind: "worker", incarnation }) as const

const crashedTwice: ReadonlyArray<Lifecycle> = [
  { _tag: "Started", ...container },
  { _tag: "Started", ...server(1) },
  { _tag: "Started", ...root },
  { _tag: "Exited", ...server(1), reason: boom },
  { _tag: "Restarting", ...server(1), reason: boom, delay: 0 },
  { _tag: "StateRestored", ...server(2), seq: 41 },
  { _tag: "Started", ...server(2) },
  { _tag: "Exited", ...server(2), reason: boom },
  { _tag: "Restarting", ...server(2), reason: boom, delay: 0 },
  { _tag: "StateRestored", ...server(3), seq: 42 },
  { _tag: "Started", ...server(3) }
]

const statusOf = (events: ReadonlyArray<Lifecycle>) =>
  Option.map(SystemView.find(SystemView.fromEvents(events), server(1).path), (process) => process.status)

describe("the view of a system", () => {
  it("draws the tree with its incarnations, restarts and last exits", () => {
    assert.deepStrictEqual(SystemView.toText(SystemView.fromEvents(crashedTwice)).split("\n"), [
      "ProcSupervisor     #1 running",
      "├─ StateContainer  #1 running",
      "└─ Server          #3 running  2 restarts, last exit crashed: Error: boom"
    ])
  })

  it("shows siblings in the order in which they were first heard of, however often since", () => {
    const names = ["z", "y", "x", "w", "v", "u", "t", "s"]
    const started = (name: string): Lifecycle => ({
      _tag: "Started",
      path: [name],
      at: 0,
      kind: "worker",
      incarnation: 1
    })
    const events = names.flatMap((name, i) => [...names.slice(0, i).reverse(), name].map(started))
    const shown = SystemView.toText(SystemView.fromEvents(events)).split("\n").map((line) => line[0])
    assert.deepStrictEqual(shown, names)
  })

  it("hears of a process by what is dropped at it, unless that is because it is not there", () => {
    const dropped = (reason: "NotRunning" | "MailboxFull"): Lifecycle => ({
      _tag: "Dropped",
      ...server(1),
      message: "Add",
      reason
    })
    const seen = (events: ReadonlyArray<Lifecycle>) => HashMap.size(SystemView.fromEvents(events).processes)
    assert.deepStrictEqual([seen([dropped("NotRunning")]), seen([dropped("MailboxFull")])], [0, 1])
    assert.strictEqual(seen([{ _tag: "Started", ...server(1) }, dropped("NotRunning")]), 1)
    const after: ReadonlyArray<Lifecycle> = [dropped("NotRunning"), { _tag: "Started", ...server(1) }]
    assert.strictEqual(seen(after), 1)
    // How often something was heard of is the order of siblings.
    assert.strictEqual(SystemView.fromEvents([...crashedTwice, ...crashedTwice]).heard, 3)
  })

  it("counts a restart for a younger incarnation of one that was up, and for no first one", () => {
    const restarts = (...events: ReadonlyArray<Lifecycle>) =>
      Option.map(SystemView.find(SystemView.fromEvents(events), server(1).path), (process) => process.restarts)
    const started = (n: number): Lifecycle => ({ _tag: "Started", ...server(n) })
    assert.deepStrictEqual(restarts(started(7)), Option.some(0))
    assert.deepStrictEqual(restarts({ _tag: "Ignored", ...server(1) }, started(2)), Option.some(0))
    assert.deepStrictEqual(restarts(started(1), started(1)), Option.some(0))
    assert.deepStrictEqual(restarts(started(1), started(2), started(5)), Option.some(2))
  })

  it("a process that is resumed starts if it was parked, and is as it was if not", () => {
    const resumed = { _tag: "Resumed", ...server(1) } as const
    assert.deepStrictEqual(statusOf([{ _tag: "Parked", ...server(1) }, resumed]), Option.some("starting"))
    assert.deepStrictEqual(statusOf([{ _tag: "Started", ...server(1) }, resumed]), Option.some("running"))
  })

  it("a start that came to nothing is no incarnation, unless nothing else is known of the process", () => {
    const incarnationOf = (events: ReadonlyArray<Lifecycle>) =>
      Option.map(SystemView.find(SystemView.fromEvents(events), server(1).path), ({ incarnation }) => incarnation)
    assert.deepStrictEqual(incarnationOf([{ _tag: "Ignored", ...server(4) }]), Option.some(0))
    assert.deepStrictEqual(incarnationOf([{ _tag: "StateRestored", ...server(4), seq: 1 }]), Option.some(4))
    assert.deepStrictEqual(
      incarnationOf([{ _tag: "Started", ...server(3) }, { _tag: "StateRestored", ...server(4), seq: 1 }]),
      Option.some(3)
    )
  })

  it("a cast to a process that is gone does not bring it back", () => {
    const gone: ReadonlyArray<Lifecycle> = [
      { _tag: "Started", ...server(1) },
      { _tag: "Deleted", ...server(1) },
      { _tag: "Dropped", ...server(1), message: "Note", reason: "NotRunning" }
    ]
    assert.deepStrictEqual(statusOf(gone), Option.none())
    const full: Lifecycle = { _tag: "Dropped", ...server(1), message: "Note", reason: "MailboxFull" }
    assert.deepStrictEqual(statusOf([full]), Option.some("running"))
  })

  it("a process that is first heard of when it has given up is a supervisor; any other is what its event says", () => {
    const events: ReadonlyArray<Lifecycle> = [
      { _tag: "GaveUp", path: root.path, at: 3, child: "Server", reason: boom },
      { _tag: "Exited", ...server(1), reason: boom }
    ]
    const kinds = [root, server(1)].map(({ path }) =>
      Option.map(SystemView.find(SystemView.fromEvents(events), path), ({ kind }) => kind)
    )
    assert.deepStrictEqual(kinds, [Option.some("supervisor"), Option.some("worker")])
  })

  it("draws trees within trees, and several of them", () => {
    const started = (...path: ReadonlyArray<string>): Lifecycle => ({
      _tag: "Started",
      path,
      at: 0,
      kind: "worker",
      incarnation: 1
    })
    const view = SystemView.fromEvents([
      started("a", "b", "c"),
      started("a", "b", "d", "e"),
      started("a", "f"),
      started("z")
    ])
    assert.deepStrictEqual(SystemView.toText(view).split("\n"), [
      "a",
      "├─ b",
      "│  ├─ c     #1 running",
      "│  └─ d",
      "│     └─ e  #1 running",
      "└─ f        #1 running",
      "z           #1 running"
    ])
  })

  it("draws nothing when nothing was heard", () => {
    assert.strictEqual(SystemView.toText(SystemView.empty), "")
  })

  it("knows what the newest incarnation took over", () => {
    const process = SystemView.find(SystemView.fromEvents(crashedTwice), server(3).path)
    assert.deepInclude(Option.getOrThrow(process), { incarnation: 3, restarts: 2, restoredFrom: 42, status: "running" })
  })

  it("a process is restarting between the decision and the next start", () => {
    assert.deepStrictEqual(statusOf(crashedTwice.slice(0, 4)), Option.some("stopped"))
    assert.deepStrictEqual(statusOf(crashedTwice.slice(0, 5)), Option.some("restarting"))
    assert.deepStrictEqual(statusOf(crashedTwice.slice(0, 6)), Option.some("restarting"))
    assert.deepStrictEqual(statusOf(crashedTwice.slice(0, 7)), Option.some("running"))
  })

  it("a process that does not come up again keeps the number of the incarnation that was up", () => {
    const view = SystemView.fromEvents([
      ...crashedTwice.slice(0, 5),
      { _tag: "StartFailed", ...server(2), reason: boom }
    ])
    const process = Option.getOrThrow(SystemView.find(view, server(1).path))
    assert.deepInclude(process, { incarnation: 1, status: "stopped", restarts: 0 })
  })

  it("a parked process is parked until it is resumed and up again", () => {
    const parked: ReadonlyArray<Lifecycle> = [
      ...crashedTwice.slice(0, 4),
      { _tag: "GaveUp", path: root.path, at: 3, child: "Server", reason: boom },
      { _tag: "Parked", ...server(1) }
    ]
    assert.deepStrictEqual(statusOf(parked), Option.some("parked"))
    assert.deepStrictEqual(statusOf([...parked, { _tag: "Resumed", ...server(1) }]), Option.some("starting"))
    assert.deepStrictEqual(
      statusOf([...parked, { _tag: "Resumed", ...server(1) }, { _tag: "Started", ...server(2) }]),
      Option.some("running")
    )
  })

  it("an event of an older incarnation is ignored", () => {
    const before = SystemView.fromEvents(crashedTwice)
    const after = SystemView.apply(before, { _tag: "Exited", ...server(2), reason: normal })
    assert.deepStrictEqual(SystemView.find(after, server(3).path), SystemView.find(before, server(3).path))
  })

  it("an abandoned incarnation is remembered", () => {
    const view = SystemView.fromEvents([...crashedTwice, { _tag: "Abandoned", ...server(1) }])
    assert.include(SystemView.toText(view), "1 abandoned")
  })

  it("a deleted supervisor takes all below it along", () => {
    const view = SystemView.apply(SystemView.fromEvents(crashedTwice), { _tag: "Deleted", ...root })
    assert.isTrue(HashMap.isEmpty(view.processes))
  })
})

const paths = [["r"], ["r", "a"], ["r", "b"], ["r", "a", "x"], ["r", "a", "y"], ["s"], ["s", "a"]] as const

const Step = Schema.Struct({
  at: Schema.Literals([0, 1, 2, 3, 4, 5, 6]),
  incarnation: Schema.Literals([1, 2, 3]),
  what: Schema.Literals([
    "Started",
    "StartFailed",
    "Ignored",
    "Exited",
    "Restarting",
    "GaveUp",
    "Parked",
    "Resumed",
    "Deleted",
    "Abandoned",
    "StateRestored",
    "WriteFenced",
    "Quarantined"
  ])
})

const toEvent = ({ at, incarnation, what }: typeof Step.Type, time: number): Lifecycle => {
  const process = { path: paths[at], at: time, kind: "worker", incarnation } as const
  switch (what) {
    case "StartFailed":
    case "Exited":
      return { _tag: what, ...process, reason: boom }
    case "Restarting":
      return { _tag: what, ...process, reason: boom, delay: 0 }
    case "GaveUp":
      return { _tag: what, path: process.path, at: time, child: "a", reason: boom }
    case "StateRestored":
      return { _tag: what, ...process, seq: time }
    case "WriteFenced":
      return { _tag: what, ...process, current: 3 }
    case "Quarantined":
      return { _tag: what, ...process, message: "M", attempts: 3 }
    default:
      return { _tag: what, ...process }
  }
}

/** The rule said naively: who was heard of, in which order, after the last deletion of it or of what is above it. */
const heardOf = (events: ReadonlyArray<Lifecycle>): ReadonlyArray<string> => {
  let heard: ReadonlyArray<string> = []
  for (const event of events) {
    const name = event.path.join("/")
    if (event._tag === "Deleted") heard = heard.filter((other) => !`${other}/`.startsWith(`${name}/`))
    else if (!heard.includes(name)) heard = heard.concat(name)
  }
  return heard
}

const byOrder = Order.mapInput(Order.Number, (process: SystemView.ProcessView) => process.order)

const count = (nodes: ReadonlyArray<SystemView.Node>): number =>
  nodes.reduce((sum, node) => sum + (node.process === undefined ? 0 : 1) + count(node.children), 0)

describe("the view of a system, over any events", () => {
  it.prop("loses no process and invents none", [Schema.Array(Step)], ([steps]) => {
    const events = steps.map(toEvent)
    const view = SystemView.fromEvents(events)
    const processes = Arr.sort(HashMap.values(view.processes), byOrder)
    assert.deepStrictEqual(processes.map((process) => process.path.join("/")), heardOf(events))
    assert.strictEqual(count(SystemView.toTree(view)), processes.length)
  })

  it.prop("draws every process once, its parents above it", [Schema.Array(Step)], ([steps]) => {
    const view = SystemView.fromEvents(steps.map(toEvent))
    const text = SystemView.toText(view)
    assert.strictEqual(
      text.split("\n").filter((line) => line.includes("#")).length,
      HashMap.size(view.processes)
    )
  })

  it.prop("incarnation numbers never fall while the process is not deleted", [Schema.Array(Step)], ([steps]) => {
    let view = SystemView.empty
    for (const event of steps.map(toEvent)) {
      const before = view
      view = SystemView.apply(view, event)
      for (const process of HashMap.values(view.processes)) {
        const earlier = Option.getOrUndefined(SystemView.find(before, process.path))
        if (earlier !== undefined) {
          assert.isAtLeast(process.incarnation, earlier.incarnation)
          assert.isAtLeast(process.restarts, earlier.restarts)
          assert.strictEqual(process.order, earlier.order)
        }
      }
    }
  })

  it.prop("folding in two halves is folding at once", [Schema.Array(Step), Schema.Array(Step)], ([first, second]) => {
    const events = [...first, ...second].map(toEvent)
    const inHalves = events.slice(first.length).reduce(
      SystemView.apply,
      SystemView.fromEvents(events.slice(0, first.length))
    )
    assert.strictEqual(SystemView.toText(inHalves), SystemView.toText(SystemView.fromEvents(events)))
  })
})
