/**
 * The page: one HTML file, beside this one, and the policy under which a browser runs it.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** The page, as it is sent. */
export interface Page {
  readonly html: string
  readonly policy: string
}

const sources = (html: string, tag: "script" | "style"): string =>
  Array.from(
    html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)</${tag}>`, "g")),
    ([, source]) => `'sha256-${createHash("sha256").update(source!).digest("base64")}'`
  ).join(" ")

/** Only its own scripts and styles run, by what they are; it may talk to where it came from, and to nothing else. */
export const policyOf = (html: string): string =>
  [
    "default-src 'none'",
    `script-src ${sources(html, "script")}`,
    `style-src ${sources(html, "style")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; ")

/** Shown where the page is not beside this module: in a clone that was never set up, or in a bundle. */
const absent =
  "<!doctype html><title>Heirloom</title><p>The page's file, page.html, is not beside the module that sends it. " +
  "In a bundle, leave heirloom/Observer out of it; in a clone of Heirloom, run npm run setup.</p>"

/** The page that the package carries. */
export const page: Effect.Effect<Page> = Effect.promise(() =>
  readFile(fileURLToPath(new URL("./page.html", import.meta.url)), "utf8").catch(() => absent)
).pipe(Effect.map((html) => ({ html, policy: policyOf(html) })))
