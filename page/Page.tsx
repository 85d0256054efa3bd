/** The one screen. */
import { signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import * as Words from "../src/domain/observer/Words.ts"
import { Dialogs, help } from "./Dialogs.tsx"
import { Drawn } from "./Drawn.tsx"
import { Feed } from "./Feed.tsx"
import { Alarms, Header } from "./Header.tsx"
import { Inspector } from "./Inspector.tsx"
import { choose, chosen, isSearch, link, look, notice, screen, sort, view } from "./store.ts"
import { Table } from "./Table.tsx"

const isDrawn = signal(false)

const draw = (drawn: boolean): void => {
  isDrawn.value = drawn
  look(drawn ? { from: 0, count: 200, sort: null } : { from: 0, count: 80 })
}

export const Page = () => {
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const { target } = event
      const isTyping = target instanceof HTMLInputElement
      if (document.querySelector("dialog[open]") !== null) return
      if (event.key === "Escape") {
        if (isTyping && view.value.find !== "") look({ find: "", from: 0 })
        else choose(null)
        return document.querySelector<HTMLElement>(".table")?.focus()
      }
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === "/") search.current?.focus()
      else if (event.key === "!") look({ troubled: !view.value.troubled, from: 0 })
      else if (event.key === "t") draw(!isDrawn.value)
      else if (event.key === "?") help.value = true
      else return
      event.preventDefault()
    }
    document.addEventListener("keydown", onKeyDown)
    return () => document.removeEventListener("keydown", onKeyDown)
  }, [])
  const { find, troubled } = view.value
  return (
    <>
      <Header />
      <main class={chosen.value === null ? "" : "inspecting"}>
        <Alarms />
        <section class="panel tree" aria-label="Tree">
          <div class="toolbar">
            <h2>Processes</h2>
            <label class="search">
              <span class="hidden">Find by name</span>
              <input
                ref={search}
                type="search"
                placeholder="Find by name  /"
                value={find}
                onInput={(event) => look({ find: event.currentTarget.value.slice(0, 200), from: 0 })}
              />
            </label>
            <button type="button" aria-pressed={troubled} onClick={() => look({ troubled: !troubled, from: 0 })}>
              In trouble
            </button>
            <span class="dim found">
              {isSearch.value
                ? `${Words.counted(screen.value.total, "process", "processes")} found`
                : sort.value === null
                ? ""
                : `The first ${Words.whole(screen.value.total)} by ${sort.value.by}`}
            </span>
            {sort.value !== null && (
              <button type="button" onClick={() => look({ sort: null, from: 0 })}>As a tree</button>
            )}
            <div class="switch" role="group" aria-label="View">
              <button type="button" aria-pressed={!isDrawn.value} onClick={() => draw(false)}>Table</button>
              <button type="button" aria-pressed={isDrawn.value} onClick={() => draw(true)}>Drawn</button>
            </div>
            <button
              type="button"
              aria-label="Keys"
              title="Keys"
              onClick={() => {
                help.value = true
              }}
            >
              ?
            </button>
          </div>
          {isDrawn.value ? <Drawn /> : <Table />}
        </section>
        <div class="side">
          <Inspector />
          <Feed />
        </div>
      </main>
      <div class={`notice ${notice.value === "" ? "" : "shown"}`} role="status" aria-live="polite">{notice.value}</div>
      {link.value === "lost" && <div class="veil" aria-hidden="true" />}
      <Dialogs />
    </>
  )
}
