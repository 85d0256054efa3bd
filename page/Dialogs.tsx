/** What is asked before anything is done; the token; the keys. */
import { signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { Action } from "../src/domain/observer/Requests.ts"
import { act, link, useToken } from "./store.ts"

interface Question {
  readonly title: string
  readonly text: string
  readonly verb: string
  readonly action: Action
}

const question = signal<Question | undefined>(undefined)
export const help = signal(false)

export const confirm = (asked: Question): void => {
  question.value = asked
}

/** A modal dialog: the browser keeps the focus in it, and gives it back. */
const Modal = ({ children, label, onClose }: {
  readonly label: string
  readonly children: preact.ComponentChildren
  readonly onClose: () => void
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  return <dialog ref={dialog} aria-label={label} onClose={onClose}>{children}</dialog>
}

const Confirmation = ({ asked }: { readonly asked: Question }) => {
  const close = () => {
    question.value = undefined
  }
  return (
    <Modal label={asked.title} onClose={close}>
      <h2>{asked.title}</h2>
      <p>{asked.text}</p>
      <div class="buttons">
        <button type="button" autofocus onClick={close}>Cancel</button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            close()
            void act(asked.action)
          }}
        >
          {asked.verb}
        </button>
      </div>
    </Modal>
  )
}

const Token = () => {
  const field = useRef<HTMLInputElement>(null)
  const give = () => useToken(field.current?.value ?? "")
  return (
    <Modal label="Token" onClose={give}>
      <h2>This observer asks for its token</h2>
      <p>It is the one that the app was started with. It stays in this tab.</p>
      <label>
        Token{" "}
        <input
          ref={field}
          type="password"
          autocomplete="off"
          autofocus
          onKeyDown={(event) => {
            if (event.key === "Enter") give()
          }}
        />
      </label>
      <div class="buttons">
        <button type="button" onClick={give}>Open</button>
      </div>
    </Modal>
  )
}

const keys: ReadonlyArray<readonly [string, string]> = [
  ["↑ ↓", "to the row above or below"],
  ["Page Up, Page Down, Home, End", "further"],
  ["→ ←", "open or close a branch; to the branch above"],
  ["Enter", "look into the process"],
  ["/", "find a process by its name"],
  ["!", "show only what is in trouble, or all"],
  ["t", "the tree as a table, or drawn"],
  ["Shift Tab from the rows, Enter", "to the titles of the columns; sort by one"],
  ["Esc", "close the inspector, or end the search"],
  ["?", "these keys"]
]

const Help = () => (
  <Modal
    label="Keys"
    onClose={() => {
      help.value = false
    }}
  >
    <h2>Keys</h2>
    <dl class="keys">
      {keys.map(([key, what]) => (
        <div>
          <dt>{key}</dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
    <div class="buttons">
      <button
        type="button"
        autofocus
        onClick={() => {
          help.value = false
        }}
      >
        Close
      </button>
    </div>
  </Modal>
)

export const Dialogs = () => (
  <>
    {link.value === "token" && <Token />}
    {question.value !== undefined && <Confirmation asked={question.value} />}
    {help.value && <Help />}
  </>
)
