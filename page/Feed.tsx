/** What has happened: one entry for each crash and what came of it. */
import type { Group } from "../src/domain/observer/Wire.ts"
import * as Words from "../src/domain/observer/Words.ts"
import { clock } from "./Header.tsx"
import { Path } from "./Parts.tsx"
import { reveal, screen } from "./store.ts"

const Entry = ({ group }: { readonly group: Group }) => {
  const { began, cost, ended, path, steps, title, tone } = group
  return (
    <li class={`group ${ended === null ? "open" : ""} ${tone}`}>
      <div class="line">
        <time>{clock(began)}</time>
        <button type="button" class="plain" onClick={() => void reveal(path)}>
          <Path path={path} />
        </button>
      </div>
      <p class="what">{title}</p>
      <details>
        <summary>
          <span class="flow">{flow(group)}</span>
          {cost !== "" && <span class="cost">{cost}</span>}
        </summary>
        <ol>
          {steps.map((step) => (
            <li>
              <span class="when">{step.at === began ? clock(step.at) : `+ ${Words.duration(step.at - began)}`}</span>
              {step.text}
            </li>
          ))}
        </ol>
      </details>
    </li>
  )
}

const words: Record<string, string> = {
  Exited: "exited",
  StartFailed: "did not start",
  Restarting: "restarting",
  StateRestored: "restored",
  StateRolledBack: "rolled back",
  StateSetAside: "set aside",
  Started: "up again",
  Parked: "parked",
  Resumed: "resumed",
  GaveUp: "gave up",
  Quarantined: "quarantined",
  Redelivered: "handled again",
  Dropped: "dropped",
  Abandoned: "abandoned",
  WriteFenced: "fenced off",
  CleanUpFailed: "clean-up failed"
}

/** The way it went, each step once in a row. */
const flow = ({ ended, steps }: Group): string => {
  const tags = steps.map(({ tag }) => tag)
  const told = tags.filter((tag, i) => tag !== tags[i - 1] && !(tag === "Restarting" && tags.includes("Started")))
  return told.map((tag) => words[tag] ?? tag).join(" → ") + (ended === null ? " → …" : "")
}

export const Feed = () => {
  const { feed } = screen.value
  return (
    <section class="panel feed" aria-label="What has happened">
      <h2>What has happened</h2>
      {feed.length === 0
        ? <p class="empty">Nothing yet. Crashes, restarts and what they cost are listed here.</p>
        : (
          <ul tabIndex={0} aria-label="Events, the newest first">
            {feed.map((group) => <Entry key={group.id} group={group} />)}
          </ul>
        )}
    </section>
  )
}
