import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { Metrics } from "../../../src/index.ts"
import * as Counters from "../../../src/layers/observation/Counters.ts"

const isolated = <A, E, R>(test: (registry: Metric.MetricRegistry) => Effect.Effect<A, E, R>) => {
  const registry: Metric.MetricRegistry = new Map()
  return Effect.provideService(test(registry), Metric.MetricRegistry, registry)
}

describe("metrics", () => {
  it.effect("read the counters when they are asked, not when something happens", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        const counters = Counters.makeCounters()
        Counters.attach(counters, registry)
        counters.calls = 3
        counters.casts = 4
        counters.crashes = 2
        counters.restarts = 1
        counters.queued = 5
        assert.deepStrictEqual(yield* Metric.value(Metrics.messages), { count: 7, incremental: true })
        assert.deepStrictEqual(yield* Metric.value(Metrics.crashes), { count: 2, incremental: true })
        assert.deepStrictEqual(yield* Metric.value(Metrics.restarts), { count: 1, incremental: true })
        assert.deepStrictEqual(yield* Metric.value(Metrics.mailboxDepth), { value: 5 })
        counters.calls++
        counters.queued--
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 8)
        assert.strictEqual((yield* Metric.value(Metrics.mailboxDepth)).value, 4)
      })
    ))

  it.effect("are in the snapshot under their names", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        Counters.attach(Counters.makeCounters(), registry)
        assert.deepStrictEqual((yield* Metric.snapshot).map(({ id, type }) => [id, type]), [
          ["heirloom_messages_total", "Counter"],
          ["heirloom_crashes_total", "Counter"],
          ["heirloom_restarts_total", "Counter"],
          ["heirloom_rollbacks_total", "Counter"],
          ["heirloom_mailbox_depth", "Gauge"],
          ["heirloom_recovery_seconds", "Histogram"]
        ])
      })
    ))

  it("sort recoveries by length from a microsecond on, each bound four times the last, up to minutes", () => {
    const bounds = Metrics.recoveryBounds.filter(Number.isFinite)
    assert.strictEqual(bounds[0], 1e-6)
    for (const [i, bound] of bounds.slice(1).entries()) assert.approximately(bound / bounds[i]!, 4, 1e-9)
    assert.isAbove(bounds.at(-1)!, 4 * 60)
  })

  it.effect("add up all trees that report to one registry", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        const [a, b] = [Counters.makeCounters(), Counters.makeCounters()]
        Counters.attach(a, registry)
        Counters.attach(b, registry)
        a.calls = 3
        b.casts = 4
        a.recovered(2)
        b.recovered(4)
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 7)
        const { count, max, min, sum } = yield* Metric.value(Metrics.recovery)
        assert.deepStrictEqual({ count, max, min, sum }, { count: 2, max: 0.004, min: 0.002, sum: 0.006 })
      })
    ))

  it("have names by which dashboards find them", () => {
    const names = Object.entries(Metrics).flatMap(([name, metric]) =>
      Metric.isMetric(metric) ? [[name, metric.id] as const] : []
    )
    assert.deepStrictEqual(Object.fromEntries(names), {
      messages: "heirloom_messages_total",
      crashes: "heirloom_crashes_total",
      restarts: "heirloom_restarts_total",
      rollbacks: "heirloom_rollbacks_total",
      mailboxDepth: "heirloom_mailbox_depth",
      recovery: "heirloom_recovery_seconds",
      storeFailures: "heirloom_store_failures_total",
      storeUnavailable: "heirloom_store_unavailable",
      storeOutages: "heirloom_store_outages_total",
      classMessages: "heirloom_server_messages_total",
      handlerTime: "heirloom_handler_seconds",
      mailboxTime: "heirloom_mailbox_seconds",
      commitTime: "heirloom_commit_seconds",
      firstReplyTime: "heirloom_first_reply_seconds",
      classCrashes: "heirloom_server_crashes_total",
      classRestarts: "heirloom_server_restarts_total",
      classDepth: "heirloom_server_mailbox_depth",
      live: "heirloom_servers_live",
      hibernating: "heirloom_servers_hibernating",
      quarantined: "heirloom_messages_quarantined"
    })
    for (const metric of Object.values(Metrics)) {
      if (Metric.isMetric(metric)) assert.isAbove(metric.description?.length ?? 0, 10, metric.id)
    }
  })

  it.effect("totals never fall when a tree ends; its mailboxes are gone with it", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        const counters = Counters.makeCounters()
        const detach = Counters.attach(counters, registry)
        counters.calls = 3
        counters.queued = 2
        counters.recovered(1)
        detach()
        detach()
        counters.calls = 100
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 3)
        assert.strictEqual((yield* Metric.value(Metrics.recovery)).count, 1)
        assert.strictEqual((yield* Metric.value(Metrics.mailboxDepth)).value, 0)
      })
    ))

  it.effect("a tree attached twice counts once, until the last attachment ends", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        const counters = Counters.makeCounters()
        const first = Counters.attach(counters, registry)
        const second = Counters.attach(counters, registry)
        counters.calls = 3
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 3)
        first()
        counters.calls = 4
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 4)
        second()
        counters.calls = 5
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 4)
      })
    ))

  it.effect("cannot be pushed: an update from outside changes nothing", () =>
    isolated((registry) =>
      Effect.gen(function*() {
        Counters.attach(Counters.makeCounters(), registry)
        yield* Metric.update(Metrics.messages, 10)
        yield* Metric.modify(Metrics.mailboxDepth, 10)
        assert.strictEqual((yield* Metric.value(Metrics.messages)).count, 0)
        assert.strictEqual((yield* Metric.value(Metrics.mailboxDepth)).value, 0)
      })
    ))

  it.effect.prop(
    "recoveries fall into the same buckets as in Effect's own histogram",
    [Schema.Array(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1e9 })))],
    ([drawn]) =>
      Effect.gen(function*() {
        // No negative zero: to the two it is not the same smallest value.
        const millis = drawn.map(Math.abs)
        const counters = Counters.makeCounters()
        for (const each of millis) counters.recovered(each)
        const theirs = yield* isolated(() =>
          Effect.gen(function*() {
            for (const each of millis) yield* Metric.update(Metrics.recovery, each / 1000)
            return yield* Metric.value(Metrics.recovery)
          })
        )
        assert.deepStrictEqual(counters.recoveries(), theirs)
      })
  )
})
