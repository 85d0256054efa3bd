/**
 * The process in whose name code runs: a server's callbacks, and what they fork, have it in their context.
 *
 * What runs in a process's own name differs from what others do with it: a server that joins a group in `init` says
 * again with each incarnation what it said before.
 *
 * @since 0.1.0
 */
import { Context, Fiber } from "effect"
import { type HasProcess, type Process, processOf } from "./Process.ts"

/** The key under which that process is in the context, as those see it who put it there. */
export const own = <A extends { readonly ref: HasProcess }>(): Context.Reference<A | undefined> =>
  Context.Reference<A | undefined>("heirloom/HandlerOf", { defaultValue: () => undefined })

const Own = own<{ readonly ref: HasProcess }>()

/** The number of the incarnation in whose name a process is named at this moment; 0 when others do it. */
export const incarnationOf = (process: Process): number => {
  const fiber = Fiber.getCurrent()
  const running = fiber === undefined ? undefined : Context.get(fiber.context, Own)
  return running?.ref[processOf] === process ? process.incarnation : 0
}
