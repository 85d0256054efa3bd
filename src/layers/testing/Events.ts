/**
 * The events of a test, in order, and ways to wait for the next.
 *
 * *Tricky*: what comes is appended and rung for, inside the stack that caused it; a waiter wakes on a turn of its own
 * and looks through what was added since it last looked, so that one ring may stand for many events and a question that
 * throws fails the test, not the tree.
 *
 * @since 0.1.0
 */
import { Effect, Queue } from "effect"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import { type HasProcess, processOf } from "../process/Process.ts"

/**
 * A process, by the reference to it, its path, or its path as text (`"root > app/Counter"`).
 *
 * @category models
 * @since 0.1.0
 */
export type Address = HasProcess | ReadonlyArray<string> | string

/** The kinds of events. */
export type Tag = Lifecycle["_tag"]
/** An event of one kind. */
export type Tagged<T extends Tag> = Extract<Lifecycle, { readonly _tag: T }>

/**
 * Events of one process, or of all, one after the other.
 *
 * @category models
 * @since 0.1.0
 */
export interface Probe {
  /** Waits for the next event. */
  readonly next: Effect.Effect<Lifecycle>
  /** The next event, which must be of this kind; dies when it is not. */
  readonly expect: <T extends Tag>(tag: T) => Effect.Effect<Tagged<T>>
  /** Waits for the next event of this kind, and passes over others. */
  readonly skipTo: <T extends Tag>(tag: T) => Effect.Effect<Tagged<T>>
  /** What has come and was not looked at: nothing, if nothing should have. */
  readonly rest: Effect.Effect<ReadonlyArray<Lifecycle>>
}

/** The path of a process as text. */
export const textOf = (address: Address): string =>
  typeof address === "string" ? address : pathText(isPath(address) ? address : address[processOf].path)

/** Whether an event is about that process. */
export const isAbout = (address: Address): (event: Lifecycle) => boolean => {
  const path = textOf(address)
  return (event) => pathText(event.path) === path
}

const isPath = (address: HasProcess | ReadonlyArray<string>): address is ReadonlyArray<string> =>
  !(processOf in address)

/** A place among the events: in a list that may be let go of. */
interface Place {
  list: ReadonlyArray<Lifecycle>
  at: number
}

/** The events so far, and those who wait for more. */
export class Events {
  all: Array<Lifecycle> = []
  private readonly bells = new Set<Queue.Enqueue<void>>()

  add(event: Lifecycle): void {
    this.all.push(event)
    for (const bell of this.bells) Queue.offerUnsafe(bell, undefined)
  }

  clear(): void {
    this.all = []
  }

  /** The next event that is one of these, if it has come. */
  private after<E extends Lifecycle>(place: Place, is: (event: Lifecycle) => event is E): E | undefined {
    if (place.list !== this.all) {
      place.list = this.all
      place.at = 0
    }
    while (place.at < place.list.length) {
      const event = place.list[place.at++]!
      if (is(event)) return event
    }
    return undefined
  }

  /** Waits until there are so many of these. */
  collect<E extends Lifecycle>(
    count: number,
    is: (event: Lifecycle) => event is E,
    place?: Place
  ): Effect.Effect<ReadonlyArray<E>> {
    const rest = (bell: Queue.Dequeue<void>) =>
      Effect.gen({ self: this }, function*() {
        const found: Array<E> = []
        const from = place ?? { list: this.all, at: 0 }
        while (true) {
          for (let event; found.length < count && (event = this.after(from, is)) !== undefined;) found.push(event)
          if (found.length >= count) return found
          yield* Queue.take(bell)
        }
      })
    return Effect.acquireUseRelease(
      Effect.tap(Queue.sliding<void>(1), (bell) => Effect.sync(() => this.bells.add(bell))),
      rest,
      (bell) => Effect.sync(() => this.bells.delete(bell))
    )
  }

  /** From now on, those that are about something, one by one. */
  probe(about: (event: Lifecycle) => boolean): Probe {
    const place: Place = { list: this.all, at: this.all.length }
    const is = (event: Lifecycle): event is Lifecycle => about(event)
    const next = Effect.map(Effect.suspend(() => this.collect(1, is, place)), ([event]) => event!)
    const isTagged = <T extends Tag>(tag: T) => (event: Lifecycle): event is Tagged<T> => event._tag === tag
    return {
      next,
      expect: (tag) => {
        const isWanted = isTagged(tag)
        return Effect.flatMap(next, (event) =>
          isWanted(event)
            ? Effect.succeed(event)
            : Effect.die(new Error(`${tag} was expected, and ${event._tag} of ${pathText(event.path)} came`)))
      },
      skipTo: <T extends Tag>(tag: T) => {
        const isWanted = isTagged(tag)
        return Effect.map(
          Effect.suspend(() => this.collect(1, (event): event is Tagged<T> => about(event) && isWanted(event), place)),
          ([event]) => event!
        )
      },
      rest: Effect.sync(() => {
        const found: Array<Lifecycle> = []
        for (let event; (event = this.after(place, is)) !== undefined;) found.push(event)
        return found
      })
    }
  }
}
