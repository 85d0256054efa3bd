// Makes the screenshots of the documents, light and dark, from the running page: `npm run screenshots`.
//
// Needs a Chromium: that of the machine, or the one that CHROMIUM names.
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"

const root = fileURLToPath(new URL("..", import.meta.url))
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"]
  .find((path) => path !== undefined && existsSync(path))
if (executablePath === undefined) {
  console.error("There is no Chromium here: install one, or name it in CHROMIUM")
  process.exit(1)
}

const folder = mkdtempSync(join(tmpdir(), "heirloom-screenshots-"))
const app = spawn(
  process.execPath,
  [
    "--import",
    import.meta.resolve("tsx"),
    join(root, "src/programs/main.ts"),
    "observe",
    "--port",
    "0",
    "--store",
    "sqlite:town.db"
  ],
  { cwd: folder, stdio: ["ignore", "pipe", "inherit"] }
)
const browser = await chromium.launch({
  executablePath,
  args: ["--disable-gpu", "--no-first-run", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])]
})
try {
  const url = await new Promise((resolve, reject) => {
    let said = ""
    app.stdout.on("data", (chunk) => {
      said += chunk
      const found = /http:\S+/.exec(said)
      if (found !== null) resolve(found[0])
    })
    app.on("exit", () => reject(new Error("the program ended")))
  })
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  await page.goto(url)
  const shot = (name) => page.screenshot({ path: join(root, "docs/observer", `${name}.png`) })
  // Long enough for lines of rates, and for some crashes.
  await page.waitForTimeout(35_000)
  await page.locator(".row:has(.id[title=\"town/Tally\"])").click()
  await page.locator("pre[aria-label=\"State\"]").waitFor()
  await page.waitForTimeout(600)
  await shot("light")
  await page.emulateMedia({ colorScheme: "dark" })
  await page.keyboard.press("t")
  await page.locator("svg g.node").first().waitFor()
  await page.waitForTimeout(600)
  await shot("drawn")
  await page.keyboard.press("t")
  await page.locator(".row:has(.id[title=\"town/Tally\"])").waitFor()
  await page.waitForTimeout(600)
  await shot("dark")
} finally {
  await browser.close()
  const ended = new Promise((resolve) => app.on("exit", resolve))
  app.kill("SIGINT")
  await ended
  rmSync(folder, { recursive: true })
}
