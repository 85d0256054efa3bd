/**
 * What the observer costs an app, in CPU time: three readers of 10,000 servers, and one of a million. An app that fills
 * a core is slowed by as much. And how the page does with 10,000 servers, in a Chromium: how soon it shows a crash and
 * a server that is busy, and how smoothly it scrolls.
 *
 *   npm run bench:observer                      all of it, some minutes
 *   npm run bench:observer -- --servers 100000  fewer than a million
 *   npm run bench:observer -- --page            the page alone
 *
 * The readers are a process of their own, as browsers are: what is measured is the app.
 */
import { Effect, Layer, References, Schema } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { chromium, type Page } from "playwright-core"
import { DynamicSupervisor, GenServer, Restart, StateContainer, Supervisor, Telemetry } from "../src/index.ts"
import * as Observer from "../src/layers/observer/Observer.ts"

class Leaf extends GenServer.Service<Leaf>()("bench/Leaf", {
  state: Schema.Int,
  messages: { Tick: GenServer.call({ reply: Schema.Int }), Crash: GenServer.cast(), Work: GenServer.cast() }
}) {}

class Crowd extends DynamicSupervisor.Service<Crowd>()("crowd") {}

const leaf = Leaf.behavior({
  init: 0,
  handlers: {
    Tick: (n) => [n + 1, n + 1],
    Crash: () => Effect.die("boom"),
    Work: (n) => Effect.as(Effect.sleep("10 seconds"), n)
  }
})

const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Leaf),
  Crowd.layer({ restart: Restart.intensity({ restarts: 1000, within: "1 minute" }) })
])
  .pipe(Layer.provideMerge(Observer.layer({ port: 0 })), Layer.provide(Telemetry.layer))

/** Readers that open the large branch, and read until they are killed. */
const readers = (url: string, count: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", reader, url, `${count}`], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const reader = `
const [, url, count] = process.argv
for (let i = 0; i < Number(count); i++) {
  const response = await fetch(url + "/events")
  const stream = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const { value } = await stream.read()
  const { reader, screen } = JSON.parse(value.split("\\n\\n")[0].split("\\ndata: ")[1])
  const { n } = screen.rows.find(({ id }) => id === "crowd")
  const view = { reader, from: 1000, count: 80, opened: [n], closed: [], find: "", troubled: false, sort: null, chosen: n }
  await fetch(url + "/view", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(view) })
  ;(async () => { while (true) await stream.read() })()
}
console.log("reading")
`

/** The part of a core that this process uses, in percent, while it handles some messages. */
const share = (send: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(send), Effect.sleep("20 millis"))))
    yield* Effect.sleep("2 seconds")
    const before = process.cpuUsage()
    const began = performance.now()
    yield* Effect.sleep("10 seconds")
    const { system, user } = process.cpuUsage(before)
    return (system + user) / 10 / (performance.now() - began)
  }).pipe(Effect.scoped)

const median = (all: ReadonlyArray<number>): number => [...all].sort((a, b) => a - b)[all.length >> 1]!

const measured = (servers: number, count: number) =>
  Effect.gen(function*() {
    const { url } = yield* Observer.Observer
    const crowd = yield* Crowd
    const leaves = yield* Effect.forEach(
      Array.from({ length: servers }, (_, i) => `${i}`),
      (key) => crowd.startChild(Leaf.recipe(leaf, { key }))
    )
    let at = 0
    const send = Effect.suspend(() => leaves[at = (at + 7919) % leaves.length]!.Tick())
    const without: Array<number> = []
    const watched: Array<number> = []
    for (let round = 0; round < 3; round++) {
      without.push(yield* share(send))
      watched.push(yield* Effect.scoped(Effect.andThen(readers(url, count), share(send))))
    }
    const [a, b] = [median(without), median(watched)]
    console.log(
      `${servers.toLocaleString("en-US")} servers: ${a.toFixed(2)} % of a core without readers, ` +
        `${b.toFixed(2)} % with ${count}: ${(b - a).toFixed(2)} % for them`
    )
  })

const executablePath = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/google-chrome"]
  .find((path) => path !== undefined && existsSync(path))

/**
 * Scrolls through all rows, a screen in three frames; how long frames took, and in how many of them rows were missing.
 */
const scrolled = (page: Page) =>
  page.evaluate(() =>
    new Promise<{ frames: number; late: number; longest: number; missing: number }>((resolve) => {
      const table = document.querySelector(".table")!
      const seen = { frames: 0, late: 0, longest: 0, missing: 0 }
      let last = performance.now()
      const step = (now: number): void => {
        seen.frames++
        if (now - last > 34) seen.late++
        seen.longest = Math.max(seen.longest, now - last)
        if (table.getAttribute("aria-busy") === "true") seen.missing++
        last = now
        table.scrollTop += 240
        if (seen.frames < 600) requestAnimationFrame(step)
        else resolve(seen)
      }
      requestAnimationFrame(step)
    })
  )

/** The page with many servers. */
const paged = (servers: number) =>
  Effect.gen(function*() {
    const { url } = yield* Observer.Observer
    const crowd = yield* Crowd
    const leaves = yield* Effect.forEach(
      Array.from({ length: servers }, (_, i) => `${i}`.padStart(6, "0")),
      (key) => crowd.startChild(Leaf.recipe(leaf, { key }))
    )
    const browser = yield* Effect.acquireRelease(
      Effect.promise(() =>
        chromium.launch({ executablePath: executablePath!, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] })
      ),
      (browser) => Effect.promise(() => browser.close())
    )
    const page = yield* Effect.promise(() => browser.newPage({ viewport: { width: 1440, height: 900 } }))
    const see = (selector: string) => Effect.promise(() => page.locator(selector).first().waitFor())
    yield* Effect.promise(() => page.goto(url))
    yield* Effect.promise(() => page.locator(".row:has(.id[title=crowd]) .twist").click())
    const row = ".row:has(.id[title='bench/Leaf/000000'])"
    yield* see(row)
    const times = { crash: [] as Array<number>, busy: [] as Array<number> }
    for (let incarnation = 2; incarnation <= 12; incarnation++) {
      // Anywhere between two looks.
      yield* Effect.sleep(300 + 97 * (incarnation % 7))
      const began = performance.now()
      yield* leaves[0]!.Crash()
      yield* see(`${row}:has-text('#${incarnation}')`)
      times.crash.push(performance.now() - began)
    }
    for (const i of [1, 2, 3, 4, 5]) {
      yield* Effect.sleep(397)
      const began = performance.now()
      yield* leaves[i]!.Work()
      yield* see(`.row:has(.id[title='bench/Leaf/00000${i}']):has-text('Work for')`)
      times.busy.push(performance.now() - began)
    }
    const { frames, late, longest, missing } = yield* Effect.promise(() => scrolled(page))
    const worst = (all: ReadonlyArray<number>) =>
      `${median(all).toFixed(0)} ms, at worst ${Math.max(...all).toFixed(0)} ms`
    console.log(
      `the page with ${servers.toLocaleString("en-US")} servers: a crash is seen after ${worst(times.crash)}; ` +
        `a busy server with its message after ${
          worst(times.busy)
        }; scrolling, of ${frames} frames ${late} took more than two ` +
        `sixtieths of a second, the longest ${longest.toFixed(0)} ms, and in ${missing} rows were missing`
    )
  }).pipe(Effect.scoped)

const run = <E>(program: Effect.Effect<void, E, Layer.Success<typeof App>>) =>
  Effect.runPromise(
    Effect.provide(program, App).pipe(Effect.provideService(References.MinimumLogLevel, "Fatal"))
  )

const asked = process.argv.indexOf("--servers")
if (executablePath === undefined) console.warn("There is no Chromium here: the page is not measured")
else await run(paged(10_000))
if (!process.argv.includes("--page")) {
  await run(measured(10_000, 3))
  await run(measured(asked === -1 ? 1_000_000 : Number(process.argv[asked + 1]), 1))
}
