import { Effect, Layer } from "effect"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const postgres = usePostgres()

let places = 0

contract("PostgreSQL", {
  durable: true,
  isShared: true,
  fresh: Effect.sync(() => {
    const table = `place_${++places}`
    return (options) =>
      Layer.build(postgres().client).pipe(
        Effect.orDie,
        Effect.flatMap((context) => Effect.provideContext(StateStoreSql.make({ ...options, table }), context))
      )
  })
})
