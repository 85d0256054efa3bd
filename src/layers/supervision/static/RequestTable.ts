/**
 * The requests to a static supervisor that have not been answered yet, by number.
 *
 * @since 0.1.0
 */
import { Deferred, Effect, Exit } from "effect"
import type { Answer } from "../../../domain/supervision/SupervisionEvents.ts"
import type { Child } from "../../process/Child.ts"
import { outcomeOf } from "../../process/Execute.ts"

/** Makes a child when its id is free, and what its starter gets. */
export type Make = () => { readonly child: Child; readonly ref: unknown }

interface Request {
  readonly make: Make | undefined
  readonly answered: Deferred.Deferred<Answer>
}

/** Requests by number. */
export class RequestTable {
  private readonly requests = new Map<number, Request>()
  private next = 1

  /** Posts a request under a number of its own, and waits for its answer unless that is there by then. */
  ask(post: (request: number) => void, make: Make | undefined): Effect.Effect<Answer> {
    return Effect.suspend(() => {
      const number = this.next++
      const answered = Deferred.makeUnsafe<Answer>()
      this.requests.set(number, { make, answered })
      post(number)
      return outcomeOf(answered)
    })
  }

  /** What makes the child that a request is to start. */
  makeOf(number: number): Make | undefined {
    return this.requests.get(number)?.make
  }

  /** Answers a request. */
  answer(number: number, answer: Answer): void {
    const request = this.requests.get(number)
    this.requests.delete(number)
    if (request !== undefined) Deferred.doneUnsafe(request.answered, Exit.succeed(answer))
  }
}
