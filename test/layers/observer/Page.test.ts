/** The page, in a real browser. Where there is none, all of this is skipped, and says so. */
import { assert, describe, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, References } from "effect"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Page } from "playwright-core"
import { Observer } from "../../../src/layers/observer/Observer.ts"
import { built, Chromium, executable, see, visit } from "../../kit/observer/Chromium.ts"
import { Clerk, Counter, gather, Vault, watched } from "../../kit/observer/Watched.ts"

if (executable === undefined) {
  // eslint-disable-next-line no-console
  console.warn(
    "SKIPPED: the observer's page is not tested, since there is no Chromium here. Install one, or name it in CHROMIUM."
  )
} else built()

/** One page for all tests: to load one takes longer than most of them. */
class Tab extends Context.Service<Tab, Effect.Success<ReturnType<typeof visit>>>()("test/Tab") {
  static readonly layer = Layer.effect(Tab, Effect.flatMap(Observer, ({ url }) => visit(url)))
}

const App = Tab.layer.pipe(
  Layer.provide(Chromium.layer),
  Layer.provideMerge(watched({ actions: true })),
  Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal" as const))
)

const row = (id: string): string => `.row:has(.id[title="${id}"])`

/**
 * What axe finds that is serious in a part of the page, each with where; by these of its rules alone, if some are
 * named.
 */
const violations = (page: Page, part = "html", rules?: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
    // By the debugger, which the policy of the page does not bind.
    if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe)
    return page.evaluate(async ({ part, rules }) => {
      const found = await (globalThis as any).axe.run(part, rules === undefined ? {} : { runOnly: rules })
      return found.violations
        .filter(({ impact }: any) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }: any) => nodes.map(({ html }: any) => `${id}: ${html.slice(0, 160)}`))
    }, { part, rules }) as Promise<ReadonlyArray<string>>
  })

describe.skipIf(executable === undefined)("the page", () => {
  layer(App, { excludeTestServices: true })((it) => {
    it.effect("loads, asks for nothing elsewhere, and shows the tree", () =>
      Effect.gen(function*() {
        const { url } = yield* Observer
        const { asked, complaints, page } = yield* Tab
        yield* see(page, row("watched/Counter"))
        const names = yield* Effect.promise(() => page.locator(".rows .id").allInnerTexts())
        assert.deepStrictEqual(names, [
          "app",
          "watched/Counter:StateContainer",
          "watched/Counter",
          "watched/Clerk:StateContainer",
          "watched/Clerk",
          "watched/Vault:StateContainer",
          "watched/Vault",
          "watched/Leaf:StateContainer",
          "crowd"
        ])
        const levels = yield* Effect.promise(() =>
          page.locator(".rows .row").evaluateAll((rows) => rows.map((row) => row.getAttribute("aria-level")))
        )
        assert.deepStrictEqual(levels, ["1", ...names.slice(1).map(() => "2")])
        assert.match(yield* see(page, row("app")), /0 of 50 in 60 s/)
        assert.deepStrictEqual(asked.filter((one) => !one.startsWith(url) && !one.startsWith("data:")), [])
        assert.deepStrictEqual(complaints, [])
      }))

    it.effect("shows a crash, grouped with its restart, and what is in the state as text", () =>
      Effect.gen(function*() {
        const { page } = yield* Tab
        const counter = yield* Counter
        yield* counter.Name({ name: "<img src=x onerror=document.title='owned'>" })
        yield* see(page, row("watched/Counter"))
        yield* Effect.exit(counter.Crash())
        const group = yield* see(page, ".feed .group:has-text('boom')")
        assert.match(group, /watched\/Counter[\s\S]*crashed: Error: boom[\s\S]*exited → restored → up again[\s\S]*down/)
        yield* see(page, `${row("watched/Counter")}:has-text('#2')`)
        yield* Effect.promise(() => page.locator(row("watched/Counter")).click())
        assert.include(yield* see(page, "pre[aria-label='State']"), "<img src=x")
        assert.include(yield* see(page, "pre[aria-label='Last end']"), "in hand: Crash")
        yield* counter.Name({ name: "ann" })
        assert.match(yield* see(page, ".types tr:has(th:text-is('Name')):has(td:text-is('1'))"), /^Namecall1/)
        assert.strictEqual(yield* Effect.promise(() => page.title()), "Heirloom observer")
      }))

    it.effect("shows a server that is busy, with its message, at once", () =>
      Effect.gen(function*() {
        const { page } = yield* Tab
        yield* see(page, row("watched/Clerk"))
        const clerk = yield* Clerk
        const until = yield* Deferred.make<void>()
        yield* Effect.forEach([1, 2, 3, 4], () => clerk.File({ until }))
        const line = yield* see(page, `${row("watched/Clerk")}:has-text('File for')`)
        assert.match(line, /3 of 10/)
        yield* Deferred.succeed(until, undefined)
        yield* see(page, `${row("watched/Clerk")}:not(:has-text('File for'))`)
      }))

    it.effect("acts when it is told to twice, and not when it is told once", () =>
      Effect.gen(function*() {
        const { page } = yield* Tab
        const counter = yield* Counter
        yield* Effect.promise(() => page.locator(row("watched/Counter")).click())
        const crash = page.locator(".actions button", { hasText: "Crash…" })
        yield* Effect.promise(() => crash.click())
        yield* Effect.promise(() => page.locator("dialog button", { hasText: "Cancel" }).click())
        yield* Effect.promise(() => crash.click())
        assert.match(yield* see(page, "dialog"), /Crash watched\/Counter\?[\s\S]*charges its budget/)
        const before = yield* counter.Add({ by: 0 })
        yield* Effect.promise(() => page.locator("dialog button.danger").click())
        yield* see(page, ".notice.shown:has-text('It is crashed')")
        yield* see(page, `${row("watched/Counter")}:has-text('#3')`)
        assert.strictEqual(yield* counter.Add({ by: 0 }), before)
      }))

    it.effect("shows 10,000 servers, only those in sight are there, and while it is scrolled it asks for those ahead", () =>
      Effect.gen(function*() {
        yield* gather(10_000)
        const { page } = yield* Tab
        yield* see(page, `${row("crowd")}:has-text('10,000')`)
        yield* Effect.promise(() => page.locator(`${row("crowd")} .twist`).click())
        yield* see(page, row("watched/Leaf/00000"))
        const views: Array<{ readonly from: number; readonly count: number }> = []
        page.on("request", (request) => request.url().endsWith("/view") && views.push(request.postDataJSON()))
        for (const part of [0.25, 0.5, 0.75, 1]) {
          yield* Effect.promise(() =>
            page.locator(".table").evaluate((table, part) => {
              table.scrollTop = part * table.scrollHeight
            }, part)
          )
          const place = Math.floor(part * 9999).toString().padStart(5, "0").slice(0, 2)
          yield* see(page, `.row .id[title^="watched/Leaf/${place}"]`)
        }
        yield* see(page, row("watched/Leaf/09999"))
        assert.isAtMost(yield* Effect.promise(() => page.locator(".rows .row").count()), 60)
        assert.isTrue(views.some(({ count, from }) => from > 5000 && count === 200))
        yield* Effect.promise(() => page.locator("input[type=search]").fill("leaf/0999"))
        yield* see(page, ".found:has-text('10 processes found')")
        yield* Effect.promise(() => page.keyboard.press("Escape"))
        // What stays open is drawn anew at each look, for the tests that follow.
        yield* Effect.promise(() => page.locator(`${row("crowd")} .twist`).click())
        yield* see(page, `${row("crowd")}[aria-expanded=false]`)
      }))

    it.effect("needs no mouse: keys move, open, choose, search, act and close", () =>
      Effect.gen(function*() {
        const { page } = yield* Tab
        yield* see(page, row("watched/Counter"))
        const press = (...keys: ReadonlyArray<string>) =>
          Effect.forEach(keys, (key) => Effect.promise(() => page.keyboard.press(key)), { discard: true })
        const active = () =>
          Effect.promise(() =>
            page.locator(".table").evaluate((table) =>
              document.getElementById(table.getAttribute("aria-activedescendant")!)!.querySelector(".id")!.textContent
            )
          )
        /** Goes to a button by the Tab key alone. */
        const reach = (text: string) =>
          Effect.promise(async () => {
            for (let i = 0; i < 100; i++) {
              await page.keyboard.press("Tab")
              if (await page.evaluate(() => document.activeElement?.textContent) === text) return
            }
            throw new Error(`no key leads to ${text}`)
          })
        yield* press("/")
        yield* Effect.promise(() => page.keyboard.type("counter"))
        yield* see(page, ".found:has-text('2 processes found')")
        yield* press("Escape")
        yield* see(page, `${row("app")}[aria-expanded=true]`)
        yield* press("Home", "ArrowLeft")
        yield* see(page, `${row("app")}[aria-expanded=false]`)
        yield* press("ArrowRight")
        yield* see(page, row("watched/Counter"))
        yield* press("ArrowDown", "ArrowDown")
        assert.strictEqual(yield* active(), "watched/Counter")
        yield* press("Enter")
        yield* see(page, ".inspector")
        yield* reach("Suspend…")
        yield* press("Enter")
        yield* see(page, "dialog")
        yield* press("Tab", "Enter")
        yield* see(page, `${row("watched/Counter")}:has-text('suspended')`)
        yield* reach("Resume…")
        yield* press("Enter")
        yield* see(page, "dialog")
        yield* press("Tab", "Enter")
        yield* see(page, `${row("watched/Counter")}:has-text('running')`)
        yield* press("Escape")
        yield* Effect.promise(() => page.locator(".inspector").waitFor({ state: "detached" }))
        yield* press("t")
        yield* see(page, "svg g.node[aria-label^='watched/Counter, running']")
        yield* press("t")
        yield* reach("Name")
        yield* press("Enter", "Enter")
        yield* see(page, `[aria-sort=descending]:has-text('Name')`)
        assert.match(yield* see(page, ".found:has-text('by name')"), /^The first [\d,]+ by name$/)
        yield* see(page, ".rows .row:first-child:has-text('watched/Vault:StateContainer')")
        const ids = yield* Effect.promise(() => page.locator(".rows .row[aria-level='1'] .id").allInnerTexts())
        assert.deepStrictEqual(ids, [...ids].sort().reverse())
        yield* press("Enter")
        yield* see(page, `${row("watched/Counter")}[aria-level='2']`)
        assert.strictEqual(yield* Effect.promise(() => page.locator("[aria-sort=none]").count()), 8)
        yield* press("?")
        yield* see(page, "dialog[aria-label='Keys']")
        yield* press("Escape")
        yield* Effect.promise(() => page.locator("dialog").waitFor({ state: "detached" }))
      }))

    it.effect("has nothing serious for axe to find, light and dark, in each of its views", () =>
      Effect.gen(function*() {
        const { page } = yield* Tab
        const vault = yield* Vault
        yield* vault.Poison()
        yield* Effect.promise(() => page.locator(row("watched/Vault")).click())
        yield* see(page, "pre[aria-label='Payload of Poison']")
        yield* Effect.promise(() => page.locator("button", { hasText: "Show those that are kept" }).click())
        assert.deepStrictEqual(yield* violations(page), [])
        yield* Effect.promise(() => page.emulateMedia({ colorScheme: "dark" }))
        assert.deepStrictEqual(yield* violations(page, "html", ["color-contrast"]), [])
        yield* Effect.promise(() => page.keyboard.press("t"))
        yield* see(page, "svg g.node")
        assert.deepStrictEqual(yield* violations(page, ".panel.tree"), [])
        yield* Effect.promise(() => page.keyboard.press("?"))
        yield* see(page, "dialog[aria-label='Keys']")
        assert.deepStrictEqual(yield* violations(page, "dialog"), [])
      }))

    it.effect("comes back by itself, and says that it sees another process", () =>
      Effect.gen(function*() {
        // The last test: what the tab shows from here on is another app.
        const { page } = yield* Tab
        const port = yield* Effect.scoped(Effect.gen(function*() {
          const { url } = Context.get(yield* Layer.build(Layer.fresh(watched({}))), Observer)
          yield* Effect.promise(() => page.goto(url))
          yield* see(page, row("watched/Counter"))
          return Number(new URL(url).port)
        }))
        yield* see(page, ".link.lost")
        yield* Layer.build(Layer.fresh(watched({ port })))
        assert.include(yield* see(page, ".notice:has-text('The process was restarted')"), "this is the new one")
        assert.match(yield* see(page, ".link.live"), /^Live/)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "Fatal")))
  })
})
