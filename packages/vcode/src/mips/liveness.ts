/**
 * Liveness: which registers may still be read from each label on, so that the scheduler can execute an instruction early
 * whose result the other way of a branch never looks at.
 *
 * Runs on the list before scheduling. The usual backward iteration; structured code settles after a few rounds.
 */
import { V0, V1 } from '@exokernel/isa';
import type { Item, Label } from './code.ts';

/** What the caller reads. */
const RESULTS = (1 << V0) | (1 << V1);

/** Registers, as a bit set, that are live at each label. */
export function liveAtLabels(items: readonly Item[]): ReadonlyMap<Label, number> {
  const live = new Map<Label, number>();
  for (let changed = true; changed;) {
    changed = false;
    let now = 0;
    for (let i = items.length - 1; i >= 0; i -= 1) {
      const item = items[i];
      if (item === undefined) continue;
      if (item.kind === 'label') {
        if (live.get(item) !== now) {
          live.set(item, now);
          changed = true;
        }
        continue;
      }
      const there = item.target === undefined ? 0 : (live.get(item.target) ?? 0);
      if (item.flow === 'jump') now = there;
      else if (item.flow === 'branch') now |= there;
      else if (item.flow === 'return') now = RESULTS;
      if (item.slot !== undefined) now = (now & ~item.slot.writes) | item.slot.reads;
      now = (now & ~item.writes) | item.reads;
    }
  }
  return live;
}
