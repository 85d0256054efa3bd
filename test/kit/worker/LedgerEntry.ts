/** The server of the placement suite, in a thread. */
import { WorkerServer } from "../../../src/worker.ts"
import { behavior, Ledger } from "../placement/Ledger.ts"

WorkerServer.entry(Ledger, behavior, import.meta.url)
