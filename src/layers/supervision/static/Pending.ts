/**
 * The requests of a static supervisor that wait for their answer.
 *
 * @since 0.1.0
 */
import { Effect, Exit } from "effect"
import type { Answer } from "../../../domain/supervision/SupervisionEvents.ts"
import type { Child } from "../../process/Child.ts"

/** Makes a child when its id is free, and what its starter gets. */
export type Make = () => { readonly child: Child; readonly ref: unknown }

interface Request {
  readonly make: Make | undefined
  exit: Exit.Exit<Answer> | undefined
  resume: ((exit: Exit.Exit<Answer>) => void) | undefined
}

/** Requests by number. */
export class Pending {
  private readonly requests = new Map<number, Request>()
  private next = 1

  /** Has a request posted under a number of its own, and waits for its answer unless that is there by then. */
  ask(post: (request: number) => void, make: Make | undefined): Effect.Effect<Answer> {
    return Effect.suspend(() => {
      const number = this.next++
      const request: Request = { make, exit: undefined, resume: undefined }
      this.requests.set(number, request)
      post(number)
      return request.exit ?? Effect.callback<Answer>((resume) => {
        if (request.exit === undefined) request.resume = resume
        else resume(request.exit)
      })
    })
  }

  /** What makes the child that a request is to start. */
  makeOf(number: number): Make | undefined {
    return this.requests.get(number)?.make
  }

  /** Takes down an answer; what is returned tells it to whoever waits by the time it is called. */
  answer(number: number, answer: Answer): (() => void) | undefined {
    const request = this.requests.get(number)
    if (request === undefined) return undefined
    this.requests.delete(number)
    const exit = request.exit = Exit.succeed(answer)
    return () => request.resume?.(exit)
  }
}
