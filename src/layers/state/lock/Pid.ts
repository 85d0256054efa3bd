/**
 * Whether a process of this machine lives, by its id.
 *
 * @since 0.1.0
 */
import process from "node:process"

/** Whether there is one. A process that may not be signalled is there. */
export const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return Object(error).code === "EPERM"
  }
}
