/**
 * Who may ask the observer.
 *
 * It binds to this machine alone, yet every page of the web that a browser on it shows can send requests there. One
 * gives itself away: by its `Origin`, or, when its name was made to lead here (DNS rebinding), by the `Host`.
 *
 * @since 0.1.0
 */

/** What is asked of a request. */
export interface Request {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly authorization: string | undefined
}

const loopback = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i

/** Whether a `Host` names this machine, or is one of those that were given. */
const isOwn = (host: string, hosts: ReadonlyArray<string>): boolean =>
  loopback.test(host) || hosts.some((own) => own.toLowerCase() === host.toLowerCase())

/**
 * Why a request is refused, however it was authorised; `undefined` when it is not. `hosts` are those beside loopback.
 */
export const foreign = ({ host, origin }: Request, hosts: ReadonlyArray<string>): string | undefined => {
  if (host === undefined || !isOwn(host, hosts)) {
    return `Host ${
      host ?? "(none)"
    } is not one that this observer answers to. Open it by 127.0.0.1, or name the host in "hosts".`
  }
  // The page itself is of this host. What a browser cannot name sends "null": it is foreign.
  if (origin === undefined || origin.toLowerCase() === `http://${host}`.toLowerCase()) return undefined
  if (origin.toLowerCase() === `https://${host}`.toLowerCase()) return undefined
  return `Origin ${origin} is another page than the observer's own.`
}

/** Whether two texts are the same, in a time that says nothing of where they differ. */
export const isEqual = (given: string, expected: string): boolean => {
  let difference = given.length ^ expected.length
  for (let i = 0; i < given.length; i++) {
    // One more than there is for an empty text: nothing is the same as that.
    difference |= given.charCodeAt(i) ^ (expected.length === 0 ? 0x10000 : expected.charCodeAt(i % expected.length))
  }
  return difference === 0
}

/** Whether a request has the token that is wanted, if one is. */
export const isAuthorised = ({ authorization }: Request, token: string | undefined): boolean =>
  token === undefined || isEqual(/^bearer (.*)$/i.exec(authorization ?? "")?.[1] ?? "", token)
