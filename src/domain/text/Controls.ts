/**
 * Control characters in texts of an app: in a terminal they would be commands, or begin another line.
 *
 * @since 0.1.0
 */

/** A text on one line, with something in place of each control character. */
export const replaced = (text: string, shown: (control: string) => string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, shown)
