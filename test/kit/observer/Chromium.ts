/** A headless Chromium of the machine, for tests of the page. */
import { Context, Effect, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"

/** Where one is, if there is one: named by the environment, or where distributions put it. */
export const executable: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium"
].find((path) => path !== undefined && existsSync(path))

const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

export class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {
  static readonly layer = Layer.effect(
    Chromium,
    Effect.acquireRelease(
      Effect.promise(() =>
        chromium.launch({
          executablePath: executable!,
          // Its sandbox does not start for root.
          args: process.getuid?.() === 0 ? ["--no-sandbox", ...quiet] : quiet
        })
      ),
      (browser) => Effect.promise(() => browser.close())
    )
  )
}

/** Builds the page, if it is not what its sources make of it. */
export const built = (): void => {
  const repository = resolve(import.meta.dirname, "../../..")
  const made = spawnSync(process.execPath, [join(repository, "scripts/page.mjs")], {
    cwd: repository,
    encoding: "utf8"
  })
  if (made.status !== 0) throw new Error(`The page was not built: ${made.stdout}${made.stderr}`)
}

/** A page of the browser, until the scope closes; what it complains of fails the test. */
export const visit = (url: string) =>
  Effect.gen(function*() {
    const browser = yield* Chromium
    const page = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newPage({ viewport: { width: 1440, height: 900 } })),
      (page) => Effect.promise(() => page.close())
    )
    const complaints: Array<string> = []
    page.on("pageerror", (error) => complaints.push(error.message))
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    const asked: Array<string> = []
    page.on("request", (request) => asked.push(request.url()))
    yield* Effect.promise(() => page.goto(url))
    return { page, complaints, asked }
  })

/** What a page comes to show. */
export const see = (page: Page, selector: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const found = page.locator(selector).first()
    await found.waitFor()
    return await found.textContent() ?? ""
  })
