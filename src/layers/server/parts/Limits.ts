/**
 * The times and sizes that a server is given, read and checked.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import * as Millis from "../../../domain/options/Millis.ts"
import { defaultShutdown } from "../../../domain/process/Fate.ts"
import type { By } from "../../../domain/server/Idleness.ts"
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
  readonly passivate?: PassivateOptions | undefined
}

/**
 * When a server that is left alone gives way.
 *
 * @category options
 * @since 0.1.0
 */
export interface PassivateOptions {
  /** How long no message has come: a duration of more than nothing. */
  readonly after: Duration.Input
  /**
   * `"hibernate"`: its state leaves memory, and the next message loads it. `"stop"`: nothing of it stays, and the next
   * one who asks for its key gets another in its place. By default it hibernates over a store; over any other companion
   * it stops where a keyed layer starts it, and hibernates elsewhere.
   */
  readonly by?: By | undefined
}

/** What limits a server. */
export interface Limits {
  readonly capacity: number
  readonly quarantine: QuarantineLimits
  /** Milliseconds; `Infinity` for no limit. */
  readonly initTimeout: number
  /** Milliseconds that clean-up may take when a server ends by itself. */
  readonly shutdown: number
  readonly passivation: { readonly after: number; readonly by: By | undefined } | undefined
}

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
  { initTimeout = Infinity, mailbox, passivate, quarantine, restart, shutdown = defaultShutdown }: RunOptions
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
  shutdown: shutdown === "brutal_kill" ? defaultShutdown : toMillis(shutdown, { server, option: "shutdown" }),
  passivation: passivate === undefined ? undefined : passivationOf(server, passivate, restart)
})

const passivationOf = (
  of: string,
  options: PassivateOptions,
  restart: ChildOptions["restart"] = "permanent"
): Limits["passivation"] => {
  const { after, by } = GivenOption.object(
    { of, option: "passivate", given: options },
    "an object with after: a duration"
  )
  const one = { of, option: "passivate.by", given: by }
  if (by !== undefined) GivenOption.oneOf({ ...one, given: by }, ["hibernate", "stop"])
  if (by === "stop" && restart === "permanent") {
    GivenOption.refuse(
      one,
      "\"hibernate\" for a permanent server, which is restarted whenever it ends; or make it transient"
    )
  }
  return { after: GivenOption.period({ of, option: "passivate.after", given: after }), by }
}

const capacityOf = (server: string, mailbox: MailboxOptions | undefined): number => {
  const given = mailbox?.capacity ?? Infinity
  return typeof given === "number" && given >= 1
    ? given
    : GivenOption.refuse({ of: server, option: "mailbox.capacity", given }, "at least 1, or left out for no limit")
}
