/** Entities of a cluster of one that are built and closed by hand, and sent to without the cluster. */
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Entity, EntityAddress, EntityId, EntityType, Sharding, TestRunner } from "effect/cluster"

type Handlers = Readonly<Record<string, (request: unknown) => Effect.Effect<unknown, unknown>>>

/** What a call says beside its payload. */
interface Beside {
  readonly key?: string
  readonly timeout?: number
}

/** The cluster, and what opens an entity of a class in it. */
export const byHand = (of: string) => {
  const entity: { build: Effect.Effect<unknown, unknown, unknown> } = { build: Effect.void }
  const layer = Layer.effect(
    Sharding.Sharding,
    Effect.map(Sharding.Sharding, (real) => ({
      ...real,
      registerEntity: (_: unknown, build: typeof entity.build) => Effect.sync(() => void (entity.build = build))
    }))
  ).pipe(Layer.provideMerge(TestRunner.layer)) as typeof TestRunner.layer
  const open = Effect.fnUntraced(function*(key: string) {
    const sharding = yield* Sharding.Sharding
    const scope = yield* Scope.make()
    const entityId = EntityId.make(key)
    const address = EntityAddress.make({
      entityId,
      shardId: sharding.getShardId(entityId, "default"),
      entityType: EntityType.make(of)
    })
    const build = entity.build.pipe(
      Effect.provideService(Entity.CurrentAddress, address),
      Effect.provideService(Scope.Scope, scope)
    ) as Effect.Effect<Handlers>
    const building = yield* Effect.forkChild(build, { startImmediately: true })
    return {
      building,
      send: (tag: string, payload: unknown, beside: Beside = {}) =>
        Effect.flatMap(Fiber.join(building), (handlers) => handlers[tag]!({ payload: { payload, ...beside } })),
      close: Scope.close(scope, Exit.void)
    }
  })
  return { layer, open }
}
