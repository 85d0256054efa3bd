/** A wire between a client and PostgreSQL that a test cuts at the client's end: the backend does not hear of it. */
import { Effect, type Scope } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface Wire {
  readonly port: number
  /** Bytes that have gone to the database so far. */
  readonly sent: () => number
  /** Answers that came after the client was gone. */
  readonly unheard: () => number
  /** Cuts all clients off. */
  readonly cut: Effect.Effect<void>
}

/** A wire to the server at a port. */
export const wireTo = (port: number): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Wire & { readonly close: () => void }>((resume) => {
      const clients = new Set<Socket>()
      const backends = new Set<Socket>()
      let sent = 0
      let unheard = 0
      const server = createServer((client) => {
        const backend = connect(port, "127.0.0.1")
        clients.add(client)
        backends.add(backend)
        client.on("data", (bytes) => {
          sent += bytes.length
          backend.write(bytes)
        })
        backend.on("data", (bytes) => {
          if (clients.has(client)) client.write(bytes)
          else unheard += bytes.length
        })
        client.on("error", () => {})
        backend.on("error", () => {})
        backend.on("close", () => client.destroy())
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({
          port: typeof address === "object" && address !== null ? address.port : 0,
          sent: () => sent,
          unheard: () => unheard,
          cut: Effect.sync(() => {
            const cut = [...clients]
            clients.clear()
            for (const client of cut) client.destroy()
          }),
          close: () => {
            for (const socket of [...clients, ...backends]) socket.destroy()
            server.close()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
