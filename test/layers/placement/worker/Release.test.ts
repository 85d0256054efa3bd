/** What the layers of a thread have acquired, and is not let go of when the thread ends: that is said. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { StateContainer, Supervisor } from "../../../../src/index.ts"
import { WorkerServer } from "../../../../src/worker.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { Clinging, clinging, Falling, falling, Waiting, waiting } from "../../../kit/worker/Crunch.ts"
import { url } from "../../../kit/worker/Places.ts"

const options = { spare: false, shutdown: "30 millis" } as const

const threads = {
  "its finalizer dies": [
    () => WorkerServer.layer(Clinging, clinging(url()), { ...options, shutdown: "20 seconds" }),
    "a thread of test/Clinging had acquired was not released Error: the socket stays open"
  ],
  "its thread is gone meanwhile": [
    () => WorkerServer.layer(Falling, falling(url()), { ...options, shutdown: "20 seconds" }),
    "a thread of test/Falling had acquired was not released since it exited with code 4"
  ],
  "it takes longer than the server's shutdown": [
    () => WorkerServer.layer(Waiting, waiting(url()), options),
    "a thread of test/Waiting had acquired was not released within 30 ms"
  ]
} satisfies Record<string, readonly [() => Layer.Layer<any, any, any>, string]>

describe("what the layers of a thread have acquired", () => {
  for (const [how, [server, says]] of Object.entries(threads)) {
    it.live(`is said to be left when ${how}`, () =>
      Effect.gen(function*() {
        const log = recordedLog()
        const app = Supervisor.layer({ strategy: "one_for_one" }, [
          Layer.mergeAll(
            StateContainer.layerMemory(Clinging),
            StateContainer.layerMemory(Falling),
            StateContainer.layerMemory(Waiting)
          ),
          server()
        ])
        yield* Effect.scoped(Layer.build(Layer.provide(app, log.layer)))
        const lines = log.lines.flatMap(({ level, text }) =>
          text.startsWith("what the layers") ? `${level} ${text}` : []
        )
        assert.deepStrictEqual(lines, [`Error what the layers of ${says}`])
      }))
  }
})
