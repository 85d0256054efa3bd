import { render } from "preact"
import { Page } from "./Page.tsx"
import { start } from "./store.ts"
import "./style.css"

render(<Page />, document.getElementById("app")!)
start()
