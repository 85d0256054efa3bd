/** A rule that the runner holds for all tests: see `kit/Setup.ts`. */
import { it } from "@effect/vitest"

it.fails("a test that executes no assertion fails", () => {})
