/** What is to be seen at first: whether it is live, the totals, and what a person should look at. */
import * as Words from "../src/domain/observer/Words.ts"
import { Spark } from "./Parts.tsx"
import { capturedAt, choose, link, rates, screen, source } from "./store.ts"

const linkText = {
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost, trying again",
  token: "Token needed"
}

const Figure = ({ children, label, tone = "", value }: {
  readonly label: string
  readonly value: string
  readonly tone?: string
  readonly children?: preact.ComponentChildren
}) => (
  <div class="figure">
    <dt>{label}</dt>
    <dd class={tone}>{value}{children}</dd>
  </div>
)

export const Header = () => {
  const { totals } = screen.value
  const at = capturedAt.value
  const { about = "", startedAt } = source.value ?? {}
  const recovery = totals.recoveries === 0 ? "–" : Words.duration(totals.recoveryMillis / totals.recoveries)
  return (
    <header>
      <div class="brand">
        <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
          <path d="M11 2v6M11 8 5 14M11 8l6 6M5 14v5M17 14v5" />
          <circle cx="11" cy="4" r="2.6" />
          <circle cx="5" cy="16" r="2.6" />
          <circle cx="17" cy="16" r="2.6" />
        </svg>
        <div>
          <h1>Heirloom</h1>
          <p class={`link ${link.value}`} role="status">
            {linkText[link.value]}
            {link.value === "live" && startedAt !== undefined &&
              <span class="since">· watched for {Words.duration(at - startedAt)}</span>}
          </p>
          {about !== "" && <p class="about">{about}</p>}
        </div>
      </div>
      <dl class="figures">
        <Figure label="Processes" value={Words.whole(totals.processes)} />
        <Figure label="Messages / s" value={Words.short(rates.rate(0))}>
          <Spark values={rates.history(0)} width={72} height={20} />
        </Figure>
        <Figure label="Waiting" value={Words.short(totals.queued)} />
        <Figure label="Crashes" value={Words.short(totals.crashes)} />
        <Figure label="Restarts" value={Words.short(totals.restarts)} />
        <Figure label="Mean recovery" value={recovery} />
        <Figure label="Rollbacks" value={Words.short(totals.rollbacks)} tone={totals.rollbacks > 0 ? "bad" : ""} />
        <Figure
          label="In trouble"
          value={totals.troubled >= 1000 ? "1,000 +" : Words.whole(totals.troubled)}
          tone={totals.troubled > 0 ? "warn" : ""}
        />
      </dl>
    </header>
  )
}

export const Alarms = () => {
  const { alarms, stores } = screen.value
  return (
    <section
      class={`alarms ${alarms.some(({ tone }) => tone === "bad") ? "bad" : alarms.length > 0 ? "warn" : "good"}`}
      aria-label="Alarms"
    >
      {alarms.length === 0
        ? <p class="well">{link.value === "live" ? "All is well." : "Waiting for the source."}</p>
        : (
          <ul>
            {alarms.map(({ n, text, tone }) => (
              <li class={tone}>
                {n === null ? text : <button type="button" class="plain" onClick={() => choose(n)}>{text}</button>}
              </li>
            ))}
          </ul>
        )}
      {stores.length > 0 && (
        <ul class="stores" aria-label="Stores">
          {stores.map((store) => (
            <li class={store.outage !== null && store.until === null ? "bad" : "good"}>
              <span class="name">{store.name}</span> {store.outage === null
                ? "answers"
                : store.until === null
                ? `away since ${clock(store.since ?? 0)}`
                : `answers; last away at ${clock(store.since ?? 0)} for ${
                  Words.duration(store.until - (store.since ?? 0))
                }`}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

/** A time of day where the reader is. */
export const clock = (at: number): string => Words.timeOfDay(at, -new Date(at).getTimezoneOffset())
