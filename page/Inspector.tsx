/** All there is to know of the process that was chosen. */
import { signal } from "@preact/signals"
import { useEffect, useState } from "preact/hooks"
import type { Inspection, Kept, Trust } from "../src/domain/observer/Wire.ts"
import * as Words from "../src/domain/observer/Words.ts"
import { confirm } from "./Dialogs.tsx"
import { clock } from "./Header.tsx"
import { Path, Spark, Tag, toneOf } from "./Parts.tsx"
import { capturedAt, choose, difference, rateOfTypes, screen, snapshots, source } from "./store.ts"

const trustTone = { trusted: "good", probation: "quiet", suspect: "bad" } satisfies Record<Trust, string>
const trustText = { trusted: "trusted", probation: "on probation", suspect: "suspect" } satisfies Record<Trust, string>

const Part = ({ children, title }: { readonly title: string; readonly children: preact.ComponentChildren }) => (
  <section class="part">
    <h3>{title}</h3>
    {children}
  </section>
)

/** A text that scrolls has to be reached by keys, too. */
const Text = ({ children, label }: { readonly label: string; readonly children: string }) => (
  <pre tabIndex={0} role="region" aria-label={label}>{children}</pre>
)

const Actions = ({ of }: { readonly of: Inspection }) => {
  const row = screen.value.rows.find(({ n }) => n === of.n)
  const id = of.path[of.path.length - 1]!
  const { n } = of
  const isServer = of.types.length > 0
  return (
    <div class="actions" role="group" aria-label="Actions">
      <button
        type="button"
        onClick={() =>
          confirm({
            title: `Crash ${id}?`,
            text:
              "It ends as if it had died of a defect. Its supervisor decides what becomes of it, and charges its budget.",
            verb: "Crash it",
            action: { _tag: "Crash", n }
          })}
      >
        Crash…
      </button>
      <button
        type="button"
        onClick={() =>
          confirm({
            title: `Restart ${id}?`,
            text: "It is stopped in order and started again. One that is parked is resumed.",
            verb: "Restart it",
            action: { _tag: "Restart", n }
          })}
      >
        Restart…
      </button>
      {isServer && row?.status !== "suspended" && (
        <button
          type="button"
          onClick={() =>
            confirm({
              title: `Suspend ${id}?`,
              text: "Its messages wait until it is resumed. Callers that wait have their timeouts.",
              verb: "Suspend it",
              action: { _tag: "Suspend", n }
            })}
        >
          Suspend…
        </button>
      )}
      {isServer && row?.status === "suspended" && (
        <button
          type="button"
          onClick={() =>
            confirm({
              title: `Resume ${id}?`,
              text: "It goes on with the messages that have waited.",
              verb: "Resume it",
              action: { _tag: "Resume", n }
            })}
        >
          Resume…
        </button>
      )}
      <button
        type="button"
        class="danger"
        onClick={() =>
          confirm({
            title: `Stop ${id}?`,
            text: "It is stopped, and stays down until it is started again.",
            verb: "Stop it",
            action: { _tag: "Stop", n }
          })}
      >
        Stop…
      </button>
    </div>
  )
}

const changes = signal("")

const Snapshots = ({ of }: { readonly of: Inspection }) => {
  const [kept, setKept] = useState<ReadonlyArray<Kept> | undefined>(undefined)
  const [open, setOpen] = useState<number | undefined>(undefined)
  const load = () => void snapshots(of.n).then(setKept)
  useEffect(() => {
    setKept(undefined)
    setOpen(undefined)
    changes.value = ""
  }, [of.n])
  const shown = kept?.find(({ aside, seq }) => seq === open && aside === null)
  const canAct = source.value?.actions === true
  return (
    <Part title="Snapshots">
      <button type="button" onClick={load}>{kept === undefined ? "Show those that are kept" : "Look again"}</button>
      {kept?.length === 0 && <p class="dim">None is kept.</p>}
      <ul class="kept">
        {kept?.map((one, i) => {
          const older = kept[i + 1]
          return (
            <li>
              <button
                type="button"
                class="plain"
                aria-expanded={one.seq === open && one.aside === null}
                onClick={() => {
                  changes.value = ""
                  setOpen(one.seq === open ? undefined : one.seq)
                }}
              >
                Snapshot {one.seq}
              </button>
              {one.aside === null
                ? <Tag tone={trustTone[one.trust]}>{trustText[one.trust]}</Tag>
                : <Tag tone="bad">set aside: {one.aside}</Tag>}
              {one.aside === null && older !== undefined && older.aside === null && (
                <button
                  type="button"
                  class="small"
                  onClick={() =>
                    void difference(of.n, older.seq, one.seq).then((text) => {
                      setOpen(undefined)
                      changes.value = `From snapshot ${older.seq} to ${one.seq}:\n${text}`
                    })}
                >
                  Changes since {older.seq}
                </button>
              )}
              {canAct && one.aside === null && i > 0 && (
                <button
                  type="button"
                  class="small"
                  onClick={() =>
                    confirm({
                      title: `Go back to snapshot ${one.seq}?`,
                      text:
                        "The server goes on from this state, as a commit of its own. What it has committed since is not in it.",
                      verb: "Go back",
                      action: { _tag: "Restore", n: of.n, seq: one.seq }
                    })}
                >
                  Go back to it…
                </button>
              )}
            </li>
          )
        })}
      </ul>
      {changes.value !== "" && <Text label="Changes">{changes.value}</Text>}
      {shown !== undefined && <Text label={`State of snapshot ${shown.seq}`}>{shown.text}</Text>}
    </Part>
  )
}

/** How many of each type have come since the process is looked at. */
const Messages = ({ of }: { readonly of: Inspection }) => (
  <Part title={`Messages, counted for ${Words.duration(capturedAt.value - of.countedSince)}`}>
    <table class="types">
      <thead>
        <tr>
          <th scope="col">Type</th>
          <th scope="col">Kind</th>
          <th scope="col" class="number">Taken</th>
          <th scope="col" class="number">A second</th>
        </tr>
      </thead>
      <tbody>
        {of.types.map(([name, kind, taken], i) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="dim">{kind}</td>
            <td class="number">{Words.whole(taken)}</td>
            <td class="number rate">
              {taken > 0 && <Spark values={rateOfTypes.history(i)} />}
              <span>{Words.short(rateOfTypes.rate(i))}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Part>
)

const Quarantine = ({ of }: { readonly of: Inspection }) => (
  <Part title="Quarantine">
    <ul class="kept">
      {of.quarantined.map(({ at, attempts, message, payload, why }) => (
        <li>
          <div>
            <strong>{message}</strong>{" "}
            <span class="dim">{clock(at)}, after {Words.counted(attempts, "attempt")}: {why}</span>
          </div>
          <Text label={`Payload of ${message}`}>{payload}</Text>
          {source.value?.actions === true && (
            <button
              type="button"
              class="small"
              onClick={() =>
                confirm({
                  title: `Replay ${message}?`,
                  text:
                    "It is handled again, behind what waits. If it crashes its server as before, it comes back here.",
                  verb: "Replay it",
                  action: { _tag: "Replay", n: of.n, at, message }
                })}
            >
              Replay…
            </button>
          )}
        </li>
      ))}
    </ul>
  </Part>
)

export const Inspector = () => {
  const of = screen.value.chosen
  if (of === null) return null
  const row = screen.value.rows.find(({ n }) => n === of.n)
  return (
    <section class="panel inspector" aria-label="Inspector">
      <div class="title">
        <h2>
          <Path path={of.path} />
        </h2>
        <button type="button" class="close" aria-label="Close the inspector" onClick={() => choose(null)}>×</button>
      </div>
      <div class="body" tabIndex={0} role="region" aria-label="Details">
        {row !== undefined && (
          <p class="summary">
            <Tag tone={toneOf(row.status)}>{row.status}</Tag> incarnation {row.incarnation}
            {row.below === null && `, ${Words.counted(row.handled, "message")} handled by it`}
            {row.below !== null && `, ${Words.counted(row.below, "child", "children")}`}
            {row.inHand !== null &&
              `; ${row.inHand.message} in hand for ${Words.duration(capturedAt.value - row.inHand.since)}`}
          </p>
        )}
        {source.value?.actions === true && <Actions of={of} />}
        {of.state !== null && (
          <Part title={of.seq === 0 ? "State, as it began" : `State, as of commit ${of.seq}`}>
            <p class="tags">
              {of.trust !== null && <Tag tone={trustTone[of.trust]}>{trustText[of.trust]}</Tag>}
              {!of.isStored && <Tag tone="warn">not stored yet</Tag>}
            </p>
            <Text label="State">{of.state}</Text>
          </Part>
        )}
        {of.types.length > 0 && <Messages of={of} />}
        {of.crash !== null && (
          <Part title="Last end">
            <Text label="Last end">{of.crash}</Text>
          </Part>
        )}
        {of.quarantined.length > 0 && <Quarantine of={of} />}
        {of.timers.length > 0 && (
          <Part title="Timers">
            <ul class="kept">
              {of.timers.map(({ due, every, message, name }) => (
                <li>
                  <strong>{name}</strong> {message} at {clock(due)}
                  {every !== null && `, every ${Words.duration(every)}`}
                </li>
              ))}
            </ul>
          </Part>
        )}
        <Part title="Specification">
          <dl class="spec">
            {of.spec.map(([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </Part>
        {of.types.length > 0 && <Snapshots of={of} />}
      </div>
    </section>
  )
}
