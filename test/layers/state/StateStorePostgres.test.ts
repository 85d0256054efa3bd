import { Effect, Layer } from "effect"
import * as StateStoreSql from "../../../src/layers/state/StateStoreSql.ts"
import { usePostgres } from "../../fixtures/stores/usePostgres.ts"
import { contract } from "./StateStore.contract.ts"

const postgres = usePostgres()

let places = 0

contract("PostgreSQL", {
  durable: true,
  fresh: Effect.sync(() => {
    const table = `place_${++places}`
    return (options) =>
      Layer.build(postgres().client).pipe(
        Effect.orDie,
        Effect.flatMap((context) => Effect.provideContext(StateStoreSql.make({ ...options, table }), context))
      )
  })
})
