/**
 * Runs an Effect to its end in virtual time: one task after the other, and the clock moves on when none is left.
 *
 * An hour of sleeping takes no time, and nothing depends on how fast the machine is. Which of the tasks that are ready
 * goes next is drawn from a seed: the same seed gives the same run, every time and in every process. For tests of
 * servers and trees that wait, restart and time out; a test does not have to move the clock. Use `TestClock` where a
 * test must stop the time at a certain moment.
 *
 * Nothing real is waited for: an Effect that waits for a promise, a file or a socket never goes on, and the run ends
 * with {@link Stuck}.
 *
 * *Tricky*: a task or a sleep belongs to a machine. When that is switched off, as by `kill -9`, its tasks are dropped
 * and its fibers never go on; their finalizers do not run.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, type Exit, Random, Scheduler, Schema } from "effect"
import * as Draws from "../../domain/testing/Draws.ts"
import * as Roots from "../supervision/tree/Roots.ts"

/**
 * How a run is to go.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The same seed gives the same run; 0 by default. */
  readonly seed?: number | string | undefined
  /** Which of the tasks that are ready goes next: one that is drawn (default), or the one that came first. */
  readonly order?: "drawn" | "arrival" | undefined
  /**
   * How likely a fiber loses its turn at any step, from 0 (default) to 0.3; more is taken for that, since losing a turn
   * takes steps of its own. No code can rely on keeping it.
   */
  readonly yields?: number | undefined
  /**
   * How likely a timer that is due within 10 ms comes before tasks that are ready, as on a busy machine; 0 by default.
   */
  readonly lag?: number | undefined
  /** Unix time at the start, in milliseconds; the first of January 2026 by default. */
  readonly start?: number | undefined
}

/**
 * The run cannot end: nothing is ready and nothing sleeps, or a million tasks have run without any time passing.
 *
 * @category errors
 * @since 0.1.0
 */
export class Stuck extends Schema.TaggedError<Stuck>()("Stuck", {
  why: Schema.Literals(["nothing is left to run", "no time passes"]),
  millis: Schema.Number
}) {
  override get message(): string {
    return `${this.why} after ${this.millis} ms of virtual time. ` + (this.why === "no time passes"
      ? "Something asks to be run again and again without ever sleeping."
      : "It waits for a promise, a file or a socket, which have no place in virtual time, or for something that never comes.")
  }
}

const epoch = 1_767_225_600_000
const tasksPerMoment = 1_000_000
const lagWithin = 10
const maxOps = 2048
const mostYields = 0.3

interface Task {
  readonly run: () => void
  readonly machine: Machine
}

interface Sleeper {
  readonly at: number
  readonly task: Task
  awake: boolean
}

/**
 * What runs in virtual time, and the time itself.
 *
 * @category models
 * @since 0.1.0
 */
export class World {
  readonly random: Random.Random
  /** Milliseconds since the start. */
  now = 0
  /** What has to be added for the time of day. */
  offset: number
  private readonly draws: Draws.Draws
  private readonly options: Options
  private readonly ready: Array<Task> = []
  private first = 0
  /** Those who sleep longest come first. */
  private readonly sleepers: Array<Sleeper> = []
  private sinceTimePassed = 0

  constructor(options: Options = {}) {
    const { seed = 0, start = epoch } = options
    this.options = options
    this.offset = start
    this.draws = Draws.make(Draws.seedOf("turns", seed))
    const chance = Draws.make(Draws.seedOf("chance", seed))
    this.random = {
      nextDoubleUnsafe: chance.next,
      nextIntUnsafe: () => Math.floor((chance.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
    }
  }

  /** Whether a fiber is to lose its turn. */
  get losesTurn(): boolean {
    const { yields = 0 } = this.options
    return yields > 0 && this.draws.chance(Math.min(yields, mostYields))
  }

  schedule(task: Task): void {
    this.ready.push(task)
  }

  sleep(millis: number, task: Task): () => void {
    const sleeper: Sleeper = { at: this.now + millis, task, awake: false }
    let low = 0
    let high = this.sleepers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sleepers[middle]!.at > sleeper.at) low = middle + 1
      else high = middle
    }
    this.sleepers.splice(low, 0, sleeper)
    return () => {
      sleeper.awake = true
    }
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.sleepers.reduce((n, { awake, task }) => awake || task.machine.isOff ? n : n + 1, 0)
  }

  /** Moves the time on, and wakes whatever sleeps until then. */
  moveTo(millis: number): void {
    if (millis > this.now) this.sinceTimePassed = 0
    this.now = Math.max(this.now, millis)
    for (let last = this.sleepers.at(-1); last !== undefined && last.at <= this.now; last = this.sleepers.at(-1)) {
      this.sleepers.pop()
      if (!last.awake) this.ready.push(last.task)
    }
  }

  /** When the next one wakes; `undefined` when none sleeps. */
  private get next(): number | undefined {
    for (let last = this.sleepers.at(-1); last !== undefined; last = this.sleepers.at(-1)) {
      if (!last.awake && !last.task.machine.isOff) return last.at
      this.sleepers.pop()
    }
    return undefined
  }

  private take(): Task | undefined {
    if (this.options.order === "arrival") {
      const task = this.ready[this.first]
      if (task !== undefined) this.first++
      // What was run is let go of now and then, not each time.
      if (this.first > 1024 && this.first * 2 > this.ready.length) {
        this.ready.splice(0, this.first)
        this.first = 0
      }
      return task
    }
    if (this.ready.length === 0) return undefined
    const i = this.draws.below(this.ready.length)
    const task = this.ready[i]
    const last = this.ready.pop()!
    if (i < this.ready.length) this.ready[i] = last
    return task
  }

  /**
   * Runs one task, or moves the time on to the next that wakes, and to `until` at most; says so when there is neither.
   */
  stepBefore(until: number): Stuck | undefined {
    if (this.sinceTimePassed > tasksPerMoment) return new Stuck({ why: "no time passes", millis: this.now })
    const { lag = 0 } = this.options
    if (lag > 0 && this.draws.chance(lag)) {
      const { next = Infinity } = this
      if (next - this.now <= lagWithin && next <= until) this.moveTo(next)
    }
    if (this.runOne()) return undefined
    const next = Math.min(this.next ?? Infinity, until)
    if (next === Infinity) return new Stuck({ why: "nothing is left to run", millis: this.now })
    this.moveTo(next)
    return undefined
  }

  /** Runs one task, if there is one. */
  runOne(): boolean {
    const task = this.take()
    if (task === undefined) return false
    this.sinceTimePassed++
    if (!task.machine.isOff) task.run()
    return true
  }

  /** Runs what is ready, and what that makes ready, without any time passing. */
  settle(): void {
    for (let i = 0; i < tasksPerMoment && this.runOne(); i++);
  }

  /** Runs until `isDone`, or says why that never comes. */
  runUntil(isDone: () => boolean): Stuck | undefined {
    while (!isDone()) {
      const stuck = this.stepBefore(Infinity)
      if (stuck !== undefined) return stuck
    }
    return undefined
  }
}

/**
 * What takes part in a world, and can be switched off as a whole: an operating system's process.
 *
 * @category models
 * @since 0.1.0
 */
export class Machine {
  isOff = false
  readonly world: World
  /** What everything that runs on it must have in its context. */
  readonly context: Context.Context<never>

  constructor(world: World) {
    this.world = world
    this.context = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, new Turns(this)),
      Context.add(Clock.Clock, new VirtualClock(this)),
      Context.add(Random.Random, world.random)
    )
  }
}

class Turns implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private readonly machine: Machine

  constructor(machine: Machine) {
    this.machine = machine
  }

  shouldYield(fiber: { readonly currentOpCount: number }): boolean {
    return fiber.currentOpCount >= maxOps || this.machine.world.losesTurn
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const { machine } = this
    return {
      scheduleTask: (run) => machine.world.schedule({ run, machine }),
      flush: () => machine.world.settle()
    }
  }
}

class VirtualClock implements Clock.Clock {
  private readonly machine: Machine
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  constructor(machine: Machine) {
    this.machine = machine
  }

  currentTimeMillisUnsafe(): number {
    return this.machine.world.now + this.machine.world.offset
  }

  currentTimeNanosUnsafe(): bigint {
    return nanos(this.currentTimeMillisUnsafe())
  }

  monotonicTimeNanosUnsafe(): bigint {
    return nanos(this.machine.world.now)
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (!(millis > 0)) return Effect.yieldNow
    if (millis === Infinity) return Effect.never
    const { machine } = this
    return Effect.callback<void>((resume) =>
      Effect.sync(machine.world.sleep(millis, { run: () => resume(Effect.void), machine }))
    )
  }
}

// Milliseconds of today have no room for nanoseconds in one number.
const nanos = (millis: number): bigint => {
  const whole = Math.floor(millis)
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((millis - whole) * 1_000_000))
}

/**
 * Runs an Effect in virtual time, at once and to its end.
 *
 * **When to use**
 *
 * As the body of a test, in place of `TestClock`: restarts with a backoff of an hour, timeouts and schedules need no
 * care.
 *
 * **Details**
 *
 * `Clock`, `Scheduler` and `Random` are the run's own, everything else is the caller's. It is over before another fiber
 * of the caller's goes on. What the Effect leaves behind, a fiber that sleeps for one, is never run. A run that cannot
 * end dies of {@link Stuck}.
 *
 * **Example**
 *
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { VirtualTime } from "heirloom/testing"
 *
 * const nap = Effect.andThen(Effect.sleep("1 day"), Clock.monotonicTimeNanos)
 *
 * console.log(await Effect.runPromise(VirtualTime.run(nap))) // => 86400000000000n
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: Options): Effect.Effect<A, E, R> =>
  Effect.contextWith((context: Context.Context<R>) => runIn(context, effect, options))

const runIn = <A, E, R>(
  context: Context.Context<R>,
  effect: Effect.Effect<A, E, R>,
  options: Options | undefined
): Exit.Exit<A, E> | Effect.Effect<never> => {
  const world = new World(options)
  const machine = new Machine(world)
  const leave = Roots.since()
  const fiber = Effect.runForkWith(Context.merge(context, machine.context))(effect)
  const stuck = world.runUntil(() => fiber.pollUnsafe() !== undefined)
  if (stuck === undefined) return fiber.pollUnsafe()!
  leave()
  return Effect.die(stuck)
}
