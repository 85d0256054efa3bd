/**
 * The times and sizes that a server is given, read and checked.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import * as Millis from "../../../domain/options/Millis.ts"
import type { Isolation } from "../../../domain/state/Isolation.ts"
import type { ChildOptions } from "../../process/Child.ts"
import type { MailboxOptions } from "../message/Mailbox.ts"
import type { QuarantineLimits, QuarantineOptions } from "../message/Quarantine.ts"

/** How a server is run, as far as the engine is concerned. */
export interface RunOptions extends ChildOptions {
  readonly mailbox?: MailboxOptions | undefined
  readonly quarantine?: QuarantineOptions | undefined
  readonly isolation?: Isolation | undefined
  readonly initTimeout?: Duration.Input | undefined
}

/** What limits a server. */
export interface Limits {
  readonly capacity: number
  readonly quarantine: QuarantineLimits
  /** Milliseconds; `Infinity` for no limit. */
  readonly initTimeout: number
  /** Milliseconds that clean-up may take when a server ends by itself. */
  readonly shutdown: number
}

// OTP's default for workers.
export const defaultShutdown = 5000

/** Milliseconds of a time that a server, or one of its messages, was given, `Infinity` for no limit. */
export const toMillis = (
  input: Duration.Input | "infinity",
  { option = "timeout", request, server }: {
    readonly server: string
    readonly request?: string
    readonly option?: string
  }
): number => {
  const one = { of: server, request, option, given: input }
  return option === "timeout"
    ? GivenOption.timeout(one)
    : Millis.fromInput(input) ?? GivenOption.refuse(one, Millis.expected)
}

/** What is wrong with a timeout that is no time. */
export const noTimeout = (server: string, request: string | undefined, given: unknown): InvalidOption =>
  GivenOption.refusal({ of: server, request, option: "timeout", given }, GivenOption.timeoutExpected)

/** What a server's options limit it to, as the engine has it; throws for a limit that is none. */
export const limitsOf = (
  server: string,
  { initTimeout = Infinity, mailbox, quarantine, shutdown = defaultShutdown }: RunOptions
): Limits => ({
  capacity: capacityOf(server, mailbox),
  quarantine: {
    capacity: GivenOption.limit({ of: server, option: "quarantine.capacity", given: quarantine?.capacity ?? 256 }, 0),
    overflow: GivenOption.oneOf(
      { of: server, option: "quarantine.overflow", given: quarantine?.overflow ?? "drop_oldest" },
      ["drop_oldest", "drop_newest"]
    )
  },
  initTimeout: toMillis(initTimeout, { server, option: "initTimeout" }),
  shutdown: shutdown === "brutal_kill" ? defaultShutdown : toMillis(shutdown, { server, option: "shutdown" })
})

const capacityOf = (server: string, mailbox: MailboxOptions | undefined): number => {
  const given = mailbox?.capacity ?? Infinity
  return given >= 1
    ? given
    : GivenOption.refuse({ of: server, option: "mailbox.capacity", given }, "at least 1, or left out for no limit")
}
