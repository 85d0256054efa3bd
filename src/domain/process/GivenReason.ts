/**
 * Exit reasons that are given by hand: past the type checker they may be anything, and a process must not end with
 * that.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import { refuse } from "../options/GivenOption.ts"
import { ask } from "../text/ForeignText.ts"
import type { ExitReason } from "./ExitReason.ts"

/** The reason, or a defect that says where it was given. */
export const given = (of: string, reason: ExitReason): ExitReason =>
  ask(() => isReason(reason), false)
    ? reason
    : refuse({ of, option: "reason", given: reason }, "an ExitReason, such as ExitReason.shutdown")

const isReason = (reason: ExitReason): boolean => {
  switch (reason._tag) {
    case "Normal":
    case "Killed":
      return true
    case "Shutdown":
      return reason.detail === undefined || typeof reason.detail === "string"
    case "GaveUp":
      return typeof reason.child === "string" && Cause.isCause(reason.cause)
    case "Crashed":
    case "NotConserved":
      return Cause.isCause(reason.cause)
    default:
      return false
  }
}
