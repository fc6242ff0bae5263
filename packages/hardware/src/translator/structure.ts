/**
 * The shape of a region as WebAssembly can say it: nested loops and forward branches.
 *
 * Blocks stand in the order of their addresses. A branch to an earlier block makes a loop of everything from there to the
 * branch; loops that overlap without nesting are widened until they nest. A forward branch leaves a `block` that ends where
 * its target begins. What does not fit (into the middle of a loop from outside, or from the region's caller) goes in by the
 * loop's head, with the number of the wanted block in a local: heads of loops of several blocks begin with a branch table.
 */

/** Blocks `first` to `last` (by index), and inside them the loops and single blocks in order. */
export interface Loop {
  readonly first: number;
  readonly last: number;
  readonly items: readonly Item[];
}

export type Item = { readonly block: number } | { readonly loop: Loop };

/** The first block of an item. */
export function firstOf(item: Item): number {
  return 'loop' in item ? item.loop.first : item.block;
}

/** The last block of an item. */
export function lastOf(item: Item): number {
  return 'loop' in item ? item.loop.last : item.block;
}

/** The nest of loops of `count` blocks. `edges` are branches, from index to index. */
export function nest(count: number, edges: readonly (readonly [number, number])[]): Loop {
  // One interval for each head: it ends at the last branch back to the head.
  const ends = new Map<number, number>();
  for (const [from, to] of edges) if (to <= from) ends.set(to, Math.max(from, ends.get(to) ?? 0));
  for (let changed = true; changed;) {
    changed = false;
    for (const [a, b] of ends) {
      for (const [c, d] of ends) {
        if (a < c && c <= b && d > b) {
          ends.set(a, d);
          changed = true;
        }
      }
    }
  }
  const build = (first: number, last: number, isLoop: boolean): Loop => {
    const items: Item[] = [];
    for (let at = first; at <= last;) {
      const end = ends.get(at);
      if (end !== undefined && !(isLoop && at === first)) {
        items.push({ loop: build(at, end, true) });
        at = end + 1;
      } else {
        items.push({ block: at });
        at += 1;
      }
    }
    return { first, last, items };
  };
  return build(0, count - 1, false);
}
