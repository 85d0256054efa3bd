/**
 * Why a registry refused something.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { shown } from "../../domain/text/ForeignText.ts"
import { hasProcess, processOf } from "../process/Process.ts"

const Ref = Schema.declare(hasProcess)

/** Another process has the key: `holder`. A unique key is refused to its own holder too. */
export const AlreadyRegistered = Schema.TaggedStruct("AlreadyRegistered", { key: Schema.Unknown, holder: Ref })

/** A process is being started under the key. */
export const BeingStarted = Schema.TaggedStruct("BeingStarted", { key: Schema.Unknown })

/** The process to register has ended for good. */
export const NotAlive = Schema.TaggedStruct("NotAlive", { key: Schema.Unknown, path: Schema.Array(Schema.String) })

/** The process has nothing under the key. */
export const NotRegistered = Schema.TaggedStruct("NotRegistered", {
  key: Schema.Unknown,
  path: Schema.Array(Schema.String)
})

/** The registry itself is gone: the scope it was built in has closed. */
export const RegistryClosed = Schema.TaggedStruct("RegistryClosed", { key: Schema.Unknown })

/** Every reason a registry refuses something for. */
export const RegistryErrorReason = Schema.Union([
  AlreadyRegistered,
  BeingStarted,
  NotAlive,
  NotRegistered,
  RegistryClosed
])

/** Why a registry refused something. */
export type RegistryErrorReason = typeof RegistryErrorReason.Type

/**
 * A registry refused something, for the `reason` given.
 *
 * @category errors
 * @since 0.1.0
 */
export class RegistryError extends Schema.TaggedError<RegistryError>()("RegistryError", {
  registry: Schema.String,
  reason: RegistryErrorReason
}) {
  override get message(): string {
    return `${this.registry}, key ${shown(this.reason.key)}: ${explain(this.reason)}`
  }
}

const explain = (reason: RegistryErrorReason): string => {
  switch (reason._tag) {
    case "AlreadyRegistered":
      return `taken by ${pathText(reason.holder[processOf].path)}. Use that one (whereis), or another key; ` +
        "updateValue changes a value."
    case "BeingStarted":
      return "a process is being started under this key. Wait for it (start, or lock), or use another key."
    case "NotAlive":
      return `${pathText(reason.path)} has ended for good: only a process that lives can be registered. Start it again.`
    case "NotRegistered":
      return `${pathText(reason.path)} has nothing registered here. Only the owner of a registration can change it.`
    case "RegistryClosed":
      return "the registry has been shut down. Keep the layer that provides it open as long as it is used."
  }
}
