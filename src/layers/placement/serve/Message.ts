/**
 * Messages without servers: what a page and a service share.
 *
 * The descriptors that a server class is made of, for a module that a browser loads: nothing of the engine comes with it. The
 * class takes them as its `messages`, `Serve.group({ messages })` makes the group of both sides.
 *
 * @since 0.1.0
 */
export { Refused, RefusedIssue } from "../../../domain/placement/Refused.ts"
export { Unanswered, UnansweredReason } from "../../../domain/placement/Unanswered.ts"
export {
  type Call,
  call,
  type CallDescription,
  type Cast,
  cast,
  type CastDescription,
  type Messages
} from "../../../domain/server/Message.ts"
