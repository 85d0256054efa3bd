/**
 * The lifecycle events of one subtree, as a Stream.
 *
 * @since 0.1.0
 */
import { Stream } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import { stream, type Telemetry } from "../../observation/Telemetry.ts"

/** What happens to the process at `path` and everything below it. */
export const eventsBelow = (telemetry: Telemetry, path: ReadonlyArray<string>): Stream.Stream<Lifecycle> =>
  Stream.filter(stream(telemetry), (event) => path.every((id, depth) => event.path[depth] === id))
