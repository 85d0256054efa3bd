/**
 * A random tree of servers, drawn from a seed: which supervisors, which budgets, which companions, which servers by
 * key.
 */
import { Context, Effect, Layer, Random } from "effect"
import {
  DynamicSupervisor,
  type GenServer,
  type Process,
  Restart,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor
} from "../../../src/index.ts"
import { Draws, FaultyStore, Simulation } from "../../../src/testing.ts"
import * as BudgetLaw from "./BudgetLaw.ts"
import { behaviorOf, type Cell, type CellClass, type CellClient, type CellCompanion, cellOf, Watch } from "./Cell.ts"

/** What every state of a tree that outlives its process is kept in. */
export class Store extends StateStore.Service<Store>()("chaos/Store", "process") {}

/** What the servers of a tree are, for its clients. */
export type Services = Cell | CellCompanion | GenServer.Keyed<Cell>

/** A store that takes its time. What is on its way to it when the process is killed comes there, sooner or later. */
const slowly = (store: Layer.Layer<Store>, slow: number): Layer.Layer<Store> =>
  Layer.effect(
    Store,
    Effect.map(Layer.build(store), (built) => {
      const fast = Context.get(built, Store)
      const latency = Effect.flatMap(Random.next, (draw) => Effect.sleep(draw < slow ? draw * 30_000 : draw * 20))
      return {
        ...fast,
        save: (records) =>
          Effect.flatMap(FaultyStore.OnItsWay, (run) => run(Effect.andThen(latency, fast.save(records))))
      }
    })
  )

/** A server that clients may use. */
export interface Target {
  readonly name: string
  readonly client: Effect.Effect<CellClient, unknown, Services>
  /** What may be crashed beside it. */
  readonly container: Effect.Effect<Process.HasProcess, never, Services>
  /** The id under its supervisor, when it may be taken down and up again, and the supervisor. */
  readonly isKeyed: boolean
}

/** A tree, and who is in it. */
export interface Tree {
  readonly text: string
  readonly isDurable: boolean
  readonly app: Layer.Layer<Services>
  readonly targets: ReadonlyArray<Target>
}

const strategies = ["one_for_one", "one_for_all", "rest_for_one"] as const
const budgets = [{ restarts: 2, within: 5000 }, { restarts: 5, within: 10_000 }, { restarts: 20, within: 60_000 }]

/** A root that gives up ends the app, which is no promise of the tree. */
const endless = Restart.max([
  Restart.backoff({ base: "10 millis", cap: "2 seconds" }),
  Restart.intensity({ restarts: 100_000, within: "1 second" })
])

type Companion = Layer.Layer<CellCompanion, unknown, Supervisor.Supervisor | Store | StateTable.StateTable>

/** How a tree is made, where that is not drawn. */
export interface TreeOptions {
  /** What keeps what is durable; a store that outlives the app's process in a simulation. */
  readonly store?: Layer.Layer<Store> | undefined
  readonly isDurable?: boolean | undefined
  /** How likely a write of the store takes seconds; 0.1 by default. */
  readonly slow?: number | undefined
}

/** Makes a tree. */
export const make = (seed: number, given: TreeOptions = {}): Tree => {
  const { store = Simulation.layerStore(Store) } = given
  const draws = Draws.make(Draws.seedOf("tree", seed))
  const drawn = draws.chance(0.5)
  const isDurable = given.isDurable ?? drawn
  const lines: Array<string> = []
  const targets: Array<Target> = []
  const budgetLaw = new Map<string, BudgetLaw.Limit>()

  const mailbox = (): GenServer.Options => {
    if (!draws.chance(0.3)) return {}
    return { mailbox: { capacity: draws.pick([1, 3, 10]), overflow: draws.pick(["suspend", "fail", "drop_oldest"]) } }
  }
  const sleepy = (): GenServer.Options =>
    draws.chance(0.5) ? { passivate: { after: draws.pick([500, 5000]), by: draws.pick(["hibernate", "stop"]) } } : {}
  const options = (isKeyed: boolean): GenServer.Options => ({
    ...mailbox(),
    ...(isKeyed ? sleepy() : {}),
    shutdown: draws.pick(["5 seconds", "1 second", "brutal_kill"]),
    isolation: draws.pick(["share", "freeze", "copy"])
  })
  const companionOf = (cell: CellClass): readonly [string, Companion] => {
    if (isDurable) return ["a store", StateContainer.layerStore(cell, { store: Store })]
    return draws.chance(0.5)
      ? ["memory", StateContainer.layerMemory(cell)]
      : ["a table", StateContainer.layerTable(cell)]
  }

  const groups = Array.from({ length: 1 + draws.below(3) }, (_, g) => {
    const id = `group ${g}`
    const budget = draws.pick(budgets)
    const restart = Restart.intensity(budget)
    if (draws.chance(0.3)) {
      const cell = cellOf(`keyed ${g}`)
      const [kind, companion] = companionOf(cell)
      class Pool extends DynamicSupervisor.Service<Pool>()(`pool ${g}`) {}
      const own = options(true)
      const keys = ["a", "b", "c"].slice(0, 1 + draws.below(3))
      for (const key of keys) {
        targets.push({
          name: `keyed ${g}/${key}`,
          client: cell.at(key),
          container: cell.StateContainer,
          isKeyed: true
        })
      }
      lines.push(
        `${id}: servers by key (${keys.join(", ")}) over ${kind}, ${JSON.stringify(budget)}, ${JSON.stringify(own)}`
      )
      budgetLaw.set(`root > pool ${g}`, budget)
      return [
        companion,
        Pool.layer({ restart }),
        Layer.provide(cell.layerKeyed((key) => behaviorOf(cell, `keyed ${g}/${key}`), own), Pool.asSupervisor)
      ]
    }
    const strategy = draws.pick(strategies)
    const cells = Array.from({ length: 1 + draws.below(3) }, (_, c) => cellOf(`${g}.${c}`))
    lines.push(`${id}: ${strategy}, ${JSON.stringify(budget)}`)
    if (strategy === "one_for_one") budgetLaw.set(`root > ${id}`, budget)
    const children = cells.flatMap((cell, c) => {
      const [kind, companion] = companionOf(cell)
      const own = options(false)
      const name = `${g}.${c}`
      lines.push(`  ${name} over ${kind}, ${JSON.stringify(own)}`)
      targets.push({ name, client: cell, container: cell.StateContainer, isKeyed: false })
      const before = strategy === "one_for_one" ? [] : cells.slice(0, c)
      const needs = Effect.forEach(before, (other) => Effect.map(other, (client) => client))
      return [companion, cell.layer(Effect.flatMap(needs, (needs) => behaviorOf(cell, name, needs)), own)]
    })
    return [Supervisor.layer({ id, strategy, restart }, children)]
  })
  const root = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: endless }, groups.flat())
  // What a list gives that is drawn is not known to its type: it is what its targets ask for.
  const app = (root as Layer.Any as Layer.Layer<Services, never, Store | StateTable.StateTable | Watch>).pipe(
    Layer.provide(Layer.mergeAll(slowly(store, given.slow ?? 0.1), StateTable.StateTable.layer, Watch.layer)),
    Layer.provide(BudgetLaw.layer(budgetLaw))
  )
  return { text: lines.join("\n"), isDurable, app, targets }
}
