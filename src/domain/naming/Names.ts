/**
 * The rules of a registry: who may hold a key.
 *
 * @since 0.1.0
 */

/** Whether a key has one holder at most, or any number, one owner several times included. */
export type Keys = "unique" | "duplicate"

/** What one more registration of a process under a key comes to. */
export type Claim<H> =
  | { readonly _tag: "New" }
  /** It has this one already, which gets what the new one would have. */
  | { readonly _tag: "Again"; readonly held: H }
  | { readonly _tag: "Refused"; readonly holder: H }

/**
 * Decides what a registration comes to.
 *
 * **Details**
 *
 * `oldest` is the oldest registration under the key, `inherited` the one of an earlier incarnation that the process
 * makes again (`Origin`). A unique key goes to one process, as often as that claims it; under a duplicate key every
 * claim counts.
 *
 * @since 0.1.0
 */
export const claim = <H>(
  keys: Keys,
  oldest: H | undefined,
  isOwn: (held: H) => boolean,
  inherited: () => H | undefined
): Claim<H> => {
  switch (keys) {
    case "unique": {
      if (oldest === undefined) return isNew
      return isOwn(oldest) ? { _tag: "Again", held: oldest } : { _tag: "Refused", holder: oldest }
    }
    case "duplicate": {
      const held = inherited()
      return held === undefined ? isNew : { _tag: "Again", held }
    }
  }
}

const isNew = { _tag: "New" } as const
