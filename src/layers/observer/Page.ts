/**
 * The page: one HTML text, in a module beside this one, and the policy under which a browser runs it.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"

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

/** Shown in a clone that was never set up: there the page is not made yet. */
const absent =
  "<!doctype html><title>Heirloom</title><p>The page is not made yet: run npm run setup in this clone of Heirloom."

/**
 * The page that the package carries. A module, for a bundler carries modules; loaded when an observer is made, not
 * before.
 */
export const page: Effect.Effect<Page> = Effect.promise(() => import("./PageText.js").catch(() => ({ html: absent })))
  .pipe(Effect.map(({ html }) => ({ html, policy: policyOf(html) })))
