/**
 * The time that a server may be left alone before it gives way (`passivate`): one in the list of its class.
 *
 * Every message makes it begin anew, which is a move to the end of the list: no timer is set for it.
 *
 * @since 0.1.0
 */
import { Deadline } from "../message/Deadlines.ts"
import type { Server } from "./Server.ts"

/** The time that a server may be left alone. */
export class Drowse extends Deadline {
  private readonly server: Server
  private readonly due: (server: Server) => void
  constructor(server: Server, due: (server: Server) => void) {
    super()
    this.server = server
    this.due = due
  }
  expire(): void {
    this.due(this.server)
  }
}
