/** The page of the observer, as one HTML text. `scripts/page.mjs` makes the module. */
export declare const html: string
