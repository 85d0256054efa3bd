/** A page that calls servers, in a real browser. Where there is none, that part is skipped, and says so. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { buildSync } from "esbuild"
import { resolve } from "node:path"
import { gzipSync } from "node:zlib"
import { Chromium, executable, see, visit } from "../../../kit/observer/Chromium.ts"
import { Served } from "../../../kit/serve/Served.ts"

if (executable === undefined) {
  // eslint-disable-next-line no-console
  console.warn(
    "SKIPPED: no page calls what is served, since there is no Chromium here. Install one, or name it in CHROMIUM."
  )
}

const { metafile, outputFiles } = buildSync({
  absWorkingDir: resolve(import.meta.dirname, "../../../.."),
  entryPoints: ["test/kit/serve/page.ts"],
  bundle: true,
  minify: true,
  platform: "browser",
  format: "esm",
  write: false,
  metafile: true,
  outdir: "out"
})
const { contents, text } = outputFiles[0]!
const kilobytes = Math.round(gzipSync(contents).length / 1000)
const ours = Object.entries(Object.values(metafile.outputs)[0]!.inputs)
  .filter(([path, { bytesInOutput }]) => path.startsWith("src/") && bytesInOutput > 0)

const quiet = Layer.succeed(References.MinimumLogLevel, "None" as const)

const page = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/",
    HttpServerResponse.text(
      "<!doctype html><link rel=icon href=data:,><p id=http></p><p id=websocket></p><p id=fetch></p><script type=module src=/page.js></script>",
      { contentType: "text/html" }
    )
  ),
  HttpRouter.add("GET", "/page.js", HttpServerResponse.text(text, { contentType: "text/javascript" }))
)

describe("a page that calls servers", () => {
  it(`has the messages, and nothing of the engine (${kilobytes} kB in all, gzipped)`, () => {
    const rooms = new Set(ours.map(([path]) => path.split("/").slice(1, -1).join("/")))
    assert.deepStrictEqual([...rooms].sort(), ["domain/placement", "domain/server", "layers/placement/serve"])
    assert.deepStrictEqual(
      ours.map(([path]) => path.split("/").at(-1)).sort(),
      ["Group.ts", "Message.ts", "Refused.ts", "Unanswered.ts", "Validation.ts", "Wire.ts"]
    )
    assert.isBelow(ours.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0), 5_000)
  })
})

describe.skipIf(executable === undefined)("a page that calls servers, in Chromium", () => {
  it.live(
    "over HTTP, over a WebSocket, and by fetch",
    () =>
      Effect.gen(function*() {
        const { handled, url } = yield* Served
        const { complaints, page } = yield* visit(url)
        const calls = JSON.stringify([5, "Overdrawn", "Crashed"])
        for (const way of ["http", "websocket"]) assert.strictEqual(yield* see(page, `#${way}:not(:empty)`), calls)
        const [status, answer] = JSON.parse(yield* see(page, "#fetch:not(:empty)"))
        assert.strictEqual(status, 400)
        assert.deepStrictEqual(answer.errors, [{ path: ["body", "amount"], message: "Expected number" }])
        assert.deepStrictEqual(
          handled.take().map(([tag]) => tag),
          Array.from({ length: 2 }, () => ["Balance", "Deposit", "Withdraw", "Crash", "Note"]).flat()
        )
        // What a browser says of the answers that are no success, and nothing else.
        assert.isTrue(complaints.every((line) => line.startsWith("Failed to load resource")), complaints.join("\n"))
      }).pipe(Effect.provide(Layer.merge(Chromium.layer, Served.layer(page)).pipe(Layer.provide(quiet))))
  )
})
