// Prints "N passed, N failed" from vitest's JSON report, and fails unless something ran and everything passed.
import { readFileSync } from "node:fs"

const text = readFileSync(process.argv[2], "utf8")
const report = text === "" ? undefined : JSON.parse(text)
const passed = report?.numPassedTests ?? 0
// A file that does not even load has no test that could fail; it counts as one.
const broken = report?.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0) ??
  []
const failed = (report?.numFailedTests ?? 0) + broken.length + (report === undefined ? 1 : 0)

console.log(`${passed} passed, ${failed} failed`)
process.exit(passed > 0 && failed === 0 && report.success ? 0 : 1)
