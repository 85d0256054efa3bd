/**
 * When servers have nothing to do: no message in hand or in the mailbox, and all that they committed is stored.
 *
 * *Tricky*: a server that is at work is asked a request of the system. It is answered in the order of the mailbox, so
 * that each question waits for work that is really done, and no time has to pass.
 *
 * @since 0.1.0
 */
import { Effect, Exit } from "effect"
import { Idle, isDown, Pending, Restarting } from "../../domain/server/Phase.ts"
import { type HasProcess, reference } from "../process/Process.ts"
import { serverOf } from "../server/class/ServerRef.ts"
import type { ServerProcess } from "../server/engine/ServerProcess.ts"
import { SystemAnswer } from "../server/parts/SystemAnswer.ts"
import type { ChildInfo } from "../supervision/tree/SupervisorHandle.ts"

/**
 * A server, or the handle of a supervisor: that stands for the servers among its children.
 *
 * @category models
 * @since 0.1.0
 */
export type Quiet = HasProcess & { readonly whichChildren?: Effect.Effect<ReadonlyArray<ChildInfo>> }

/** Whether it has nothing to do, and nothing is under way for it. One that is down, or suspended, does nothing. */
const isQuiet = (server: ServerProcess): boolean => {
  const { occasional, phase } = server
  if (phase === Restarting) return false
  if (isDown(phase) || server.isHibernating) return true
  if (phase !== Idle && phase !== Pending) return false
  if (occasional?.continuation !== undefined || server.companion?.isBehind === true) return false
  return server.suspended || server.mailboxSize === 0
}

/** Waits for something that it does: its turn, and then its store. */
const someWork = (server: ServerProcess): Effect.Effect<void> =>
  Effect.exit(server.ask(() => new SystemAnswer(undefined), Infinity)).pipe(
    Effect.andThen(Effect.callback<void>((resume) => Effect.sync(server.whenStored(() => resume(Exit.void)))))
  )

/** Waits until all of them have nothing to do at the same moment. */
export const awaitIdle = (refs: ReadonlyArray<Quiet>): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (true) {
      const below = yield* Effect.forEach(refs, ({ whichChildren }) => whichChildren ?? Effect.succeed([]))
      const all = [...refs, ...below.flat().map(({ process }) => reference(process))]
      const busy = all.flatMap((ref) => serverOf(ref) ?? []).filter((server) => !isQuiet(server))
      if (busy.length === 0) return
      yield* Effect.forEach(busy, someWork, { discard: true })
    }
  })
