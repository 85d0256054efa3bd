/**
 * What is measured: one row per figure, in the order of the table.
 *
 * A figure belongs to a section, and a section runs in a process of its own, so that one workload's compiled code and
 * heap do not colour another's. `target` is what the ratio to Erlang/OTP must not exceed.
 */
export interface Metric {
  readonly metric: string
  readonly section: string
  readonly title: string
  readonly unit: "ns" | "ms" | "bytes" | "%" | "×"
  readonly target?: number
  /** A bound that has nothing to do with Erlang/OTP, in the figure's own unit. */
  readonly limit?: number
  /** A figure of ours that is not measured, but is one of the figures of a round over another. */
  readonly of?: readonly [metric: string, over: string]
  /** Its section takes so long that it is run in the first round alone. */
  readonly once?: true
}

/** A long run over a store: what a call takes in its first tenth and in its last, and what is on the disk by then. */
const longRun = (store: string, name: string): ReadonlyArray<Metric> => {
  const row = (what: string, title: string, unit: Metric["unit"]) =>
    ({
      metric: `runs.${store}.${what}`,
      section: `runs-${store}`,
      title: `long run over ${name}, ${title}`,
      unit,
      once: true
    }) as const
  return [
    row("first", "per call, in the first tenth", "ns"),
    row("last", "per call, in the last tenth", "ns"),
    {
      ...row("kept", "the last tenth to the first", "×"),
      limit: 1.25,
      of: [`runs.${store}.last`, `runs.${store}.first`]
    },
    row("disk", "bytes on the disk in the end", "bytes")
  ]
}

export const metrics: ReadonlyArray<Metric> = [
  { metric: "call.plain", section: "call-plain", title: "call, plain handler", unit: "ns", target: 0.2 },
  {
    metric: "call.primitive",
    section: "limit",
    title: "call, plain handler, to a bare yielded primitive",
    unit: "×",
    limit: 2,
    of: ["call.plain", "limit.primitive"]
  },
  { metric: "call.byclass", section: "call-byclass", title: "the same, counted by class", unit: "ns" },
  { metric: "call.spans", section: "call-spans", title: "the same, each message a span", unit: "ns" },
  { metric: "call.watched", section: "call-watched", title: "the same, one reader of its changes", unit: "ns" },
  { metric: "call.fn", section: "call-fn", title: "call, `Effect.fnUntraced` handler", unit: "ns", target: 0.45 },
  { metric: "busy", section: "busy", title: "call to a busy server (a cast waits)", unit: "ns", target: 0.65 },
  { metric: "fan.one", section: "fan-one", title: "100 clients → 1 server, per call", unit: "ns", target: 0.35 },
  { metric: "fan.many", section: "fan-many", title: "100 clients → 100 servers, per call", unit: "ns", target: 0.3 },
  { metric: "cast", section: "cast", title: "cast", unit: "ns", target: 0.9 },
  { metric: "start", section: "start", title: "start a supervised server, 100,000", unit: "ns", target: 0.25 },
  {
    metric: "memory.used",
    section: "start",
    title: "memory per idle server with companion, called twice",
    unit: "bytes",
    target: 0.2
  },
  { metric: "memory.new", section: "start", title: "memory per server before its first message", unit: "bytes" },
  { metric: "stop", section: "start", title: "stop, per server, 100,000 (OTP: 20,000)", unit: "ns", limit: 2000 },
  {
    metric: "crash.die",
    section: "crash-die",
    title: "`Effect.die` → restored → first reply",
    unit: "ns",
    target: 0.15
  },
  {
    metric: "crash.error",
    section: "crash-error",
    title: "thrown `Error` → restored → first reply",
    unit: "ns",
    target: 0.6
  },
  {
    metric: "conserve.memory",
    section: "conserve",
    title: "extra cost of conserving (OTP: stash process)",
    unit: "%",
    limit: 10
  },
  { metric: "conserve.table", section: "conserve", title: "extra cost in a shared table (OTP: ETS)", unit: "%" },
  { metric: "mailbox.short", section: "mailbox", title: "queued cast, 1,000 waiting", unit: "ns" },
  { metric: "mailbox.long", section: "mailbox", title: "queued cast, 1,000,000 waiting", unit: "ns" },
  { metric: "mailbox.call.short", section: "mailbox-call", title: "send one more call, 1,000 waiting", unit: "ns" },
  { metric: "mailbox.call.long", section: "mailbox-call", title: "send one more call, 1,000,000 waiting", unit: "ns" },
  {
    metric: "mailbox.kept",
    section: "mailbox",
    title: "memory kept per message once they are handled",
    unit: "bytes",
    limit: 4
  },
  { metric: "million.start", section: "million", title: "start, 1,000,000 servers", unit: "ns" },
  {
    metric: "million.memory.used",
    section: "million",
    title: "memory per server with companion, called twice, 1,000,000 servers",
    unit: "bytes",
    limit: 600
  },
  {
    metric: "million.memory.new",
    section: "million",
    title: "memory per server before its first message, 1,000,000 servers",
    unit: "bytes"
  },
  { metric: "million.call", section: "million", title: "first call to each of 1,000,000 servers", unit: "ns" },
  {
    metric: "durable.every",
    section: "durable",
    title: "durable, written every 100 ms, per update accepted",
    unit: "ns",
    limit: 3333
  },
  { metric: "durable.extra", section: "durable", title: "extra cost of a write every 100 ms", unit: "%", limit: 15 },
  {
    metric: "durable.stored",
    section: "durable",
    title: "durable, written every 100 ms, until all is stored",
    unit: "ns"
  },
  { metric: "durable.commit", section: "durable", title: "durable, each answer waits until it is stored", unit: "ns" },
  { metric: "keyed.at", section: "keyed", title: "`at` of a live key (OTP: `Registry.lookup`)", unit: "ns" },
  { metric: "keyed.call", section: "keyed", title: "call by key, live", unit: "ns" },
  {
    metric: "keyed.first",
    section: "keyed-first",
    title: "first call by key to a passivated server, over SQLite, answered when it is stored",
    unit: "ns"
  },
  {
    metric: "keyed.memory",
    section: "keyed-million",
    once: true,
    title: "memory per passivated server, 1,000,000 keys over SQLite (OTP: 100,000, hibernated)",
    unit: "bytes"
  },
  {
    metric: "timers.memory",
    section: "timers",
    once: true,
    title: "memory per durable timer that waits, of 1,000,000 over SQLite",
    unit: "bytes",
    limit: 4
  },
  { metric: "timers.disk", section: "timers", title: "the same in the database, with the state", unit: "bytes" },
  { metric: "timers.tick", section: "timers", title: "looking for due timers, 1,000,000 waiting", unit: "ns" },
  {
    metric: "timers.fire",
    section: "timers",
    title: "a timer that is due: server started, message handled, stored",
    unit: "ns"
  },
  ...longRun("sqlite", "SQLite"),
  ...longRun("files", "files"),
  ...longRun("postgres", "PostgreSQL"),
  { metric: "import.time", section: "import", title: "`import \"heirloom\"` in Node", unit: "ms" },
  { metric: "import.effect", section: "import", title: "(`import \"effect\"`)", unit: "ms" },
  { metric: "import.bundle", section: "import", title: "added to a browser bundle, minified, gzip", unit: "bytes" },
  { metric: "import.bundleEffect", section: "import", title: "(the parts of effect it stands on)", unit: "bytes" },
  { metric: "limit.primitive", section: "limit", title: "(a bare yielded primitive of Effect)", unit: "ns" }
]

/** How cost grows with the number of servers: `curve.start.1000` and so on. */
export const curve = {
  section: "curve",
  what: ["start", "call", "crash", "which", "stop"],
  sizes: [1_000, 10_000, 100_000, 1_000_000]
} as const

/** Every row, those of the curve too. */
export const all: ReadonlyArray<Metric> = [
  ...metrics,
  ...curve.what.flatMap((what) =>
    curve.sizes.map((size): Metric => ({
      metric: `curve.${what}.${size}`,
      section: curve.section,
      title: `${what}, per server, ${size.toLocaleString("en")} servers`,
      unit: "ns"
    }))
  )
]

/** The sections of the rows whose metric or section begins so, and of the figures those are made of. */
export const sectionsOf = (only: string): ReadonlyArray<string> => {
  const wanted = all.filter(({ metric, section }) => metric.startsWith(only) || section.startsWith(only))
  const parts = wanted.flatMap(({ of }) => all.filter(({ metric }) => of?.includes(metric)))
  return [...new Set([...wanted, ...parts].map(({ section }) => section))]
}

/** Whether a section is measured in the first round alone. */
export const isOnce = (name: string): boolean => all.some(({ once, section }) => section === name && once === true)
