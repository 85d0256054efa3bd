/**
 * What supervisors are made of, where types do not see it: what is none of it is refused by name, where it is given.
 *
 * @since 0.1.0
 */
import { type Duration, Layer } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"

/** A Layer. */
export const layerOf = <L>(of: string, layer: L): L =>
  Layer.isLayer(layer) ? layer : GivenOption.refuse({ of, option: "layer", given: layer }, "a Layer")

/** The first half of a supervisor's own recipe. */
export const recipeOf = <S extends Duration.Input | "infinity" | "brutal_kill">(
  of: string,
  options: { readonly id: string; readonly shutdown?: S | undefined }
): { readonly id: string; readonly kind: "supervisor"; readonly options: { readonly shutdown: S | undefined } } => {
  const { id, shutdown } = GivenOption.options(of, options)
  return { id, kind: "supervisor", options: { shutdown } }
}

/** The recipes of its children. */
export const recipesOf = <R>(of: string, children: ReadonlyArray<R>): ReadonlyArray<R> =>
  Array.isArray(children)
    ? children
    : GivenOption.refuse({ of, option: "children", given: children }, "a list of start recipes")
