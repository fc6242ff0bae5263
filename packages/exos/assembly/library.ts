/** The compiled part of ExOS: exports the entry points of each interface that `src/library.ts` names in COMPILED. */

/** The module starts, and has nothing to do. */
export function library_ready(): i32 {
  return 0;
}
