/** The two restart budgets that most tests want. */
import { Restart } from "../../src/index.ts"

/** More restarts than any test needs. */
export const often = Restart.intensity({ restarts: 100_000, within: "1 second" })

/** No restart at all. */
export const never = Restart.intensity({ restarts: 0, within: "1 second" })
