/**
 * Who is started under whom, where states are kept, and what a crash restarts.
 */
import { Layer } from "effect"
import { DynamicSupervisor, type GenServer, Restart, StateContainer, StateStore, Supervisor } from "../../index.ts"
import { Customer, CustomersLive, Mails } from "./Customer.ts"
import { Screen, ScreensLive, Show, ShowsLive, Watchers } from "./Show.ts"

export class Store extends StateStore.Service<Store>()("office/Store", "process") {}
class Shows extends DynamicSupervisor.Service<Shows>()("office/Shows") {}
class Customers extends DynamicSupervisor.Service<Customers>()("office/Customers") {}
export class Root extends Supervisor.Service<Root>()("office") {}

// Budgets are counted over all children: there are many here.
const many = Restart.intensity({ restarts: 100, within: "1 minute" })

const ScreenTree = Supervisor.layer({ id: "screens", strategy: "one_for_one" }, [
  StateContainer.layerForget(Screen),
  ScreensLive
])

const ShowTree = Supervisor.layer({ id: "shows", strategy: "rest_for_one" }, [
  StateContainer.layerStore(Show, { store: Store }),
  Shows.layer({ restart: many }),
  ShowsLive.pipe(Layer.provide(Shows.asSupervisor))
])

const CustomerTree = Supervisor.layer({ id: "customers", strategy: "rest_for_one" }, [
  StateContainer.layerStore(Customer, { store: Store, answers: { maxCount: 100, maxAge: "1 day" } }),
  Customers.layer({ restart: many }),
  CustomersLive.pipe(Layer.provide(Customers.asSupervisor))
])

/** All of it, over a store. */
export const OfficeLive = Root.layer({ strategy: "one_for_one" }, [
  Watchers.layer,
  Mails.layer(),
  ScreenTree,
  ShowTree,
  CustomerTree
])

/** What requests ask for: the servers by their keys, and the groups of screens. */
export type Servers = GenServer.Keyed<Show> | GenServer.Keyed<Customer> | GenServer.Keyed<Screen> | Watchers
