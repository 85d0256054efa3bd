/** Several runners of one cluster in this process: over real sockets, with a storage of theirs in memory. */
import { NodeClusterSocket } from "@effect/platform-node"
import { Effect, Layer, Option } from "effect"
import { MachineId, MessageStorage, type Runner, RunnerAddress, RunnerStorage, type ShardId } from "effect/cluster"

/** What all runners of a cluster know of each other: as in a database, a shard is one runner's at a time. */
export const makeStorage = (): RunnerStorage.RunnerStorage["Service"] => {
  const runners = new Map<string, readonly [Runner.Runner, boolean]>()
  const owners = new Map<string, string>()
  const nameOf = (address: RunnerAddress.RunnerAddress) => `${address.host}:${address.port}`
  const takeFree = (address: RunnerAddress.RunnerAddress, shards: Iterable<ShardId.ShardId>) =>
    Effect.sync(() => {
      const own = nameOf(address)
      return Array.from(shards).filter((shard) => {
        const name = shard.toString()
        const owner = owners.get(name) ?? own
        owners.set(name, owner)
        return owner === own
      })
    })
  let machines = 0
  return RunnerStorage.RunnerStorage.of({
    getRunners: Effect.sync(() => Array.from(runners.values())),
    register: (runner, healthy) =>
      Effect.sync(() => {
        runners.set(nameOf(runner.address), [runner, healthy])
        return MachineId.make(machines++)
      }),
    unregister: (address) => Effect.sync(() => void runners.delete(nameOf(address))),
    setRunnerHealth: (address, healthy) =>
      Effect.sync(() => {
        const known = runners.get(nameOf(address))
        if (known !== undefined) runners.set(nameOf(address), [known[0], healthy])
      }),
    acquire: takeFree,
    refresh: takeFree,
    release: (address, shard) =>
      Effect.sync(() => {
        if (owners.get(shard.toString()) === nameOf(address)) owners.delete(shard.toString())
      }),
    releaseAll: (address) =>
      Effect.sync(() => {
        for (const [shard, owner] of owners) if (owner === nameOf(address)) owners.delete(shard)
      })
  })
}

/** A member of the cluster: a runner with its port, or a client only. */
export const member = (storage: RunnerStorage.RunnerStorage["Service"], port?: number) =>
  NodeClusterSocket.layer({
    storage: "byo",
    // The binary one does not notice that the sides have different schemas: it reads something else.
    serialization: "ndjson",
    clientOnly: port === undefined,
    shardingConfig: {
      runnerAddress: port === undefined ? Option.none() : Option.some(RunnerAddress.make("127.0.0.1", port)),
      shardsPerGroup: 12,
      refreshAssignmentsInterval: 50,
      shardLockRefreshInterval: 50,
      sendRetryInterval: 20
    }
  }).pipe(
    Layer.provide(Layer.succeed(RunnerStorage.RunnerStorage, storage)),
    Layer.provideMerge(MessageStorage.layerNoop)
  )
