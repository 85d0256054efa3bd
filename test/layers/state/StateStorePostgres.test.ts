import { afterAll, beforeAll } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import * as StateStoreSql from "../../../src/layers/state/StateStoreSql.ts"
import { Postgres } from "../../fixtures/stores/Postgres.ts"
import { contract } from "./StateStore.contract.ts"

const scope = Scope.makeUnsafe()
let postgres: Context.Service.Shape<typeof Postgres>
beforeAll(async () => {
  postgres = Context.get(await Effect.runPromise(Layer.buildWithScope(Postgres.layer, scope)), Postgres)
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)

let places = 0

contract("PostgreSQL", {
  durable: true,
  fresh: Effect.sync(() => {
    const table = `place_${++places}`
    return (options) =>
      Layer.build(postgres.client).pipe(
        Effect.orDie,
        Effect.flatMap((context) => Effect.provideContext(StateStoreSql.make({ ...options, table }), context))
      )
  })
})
