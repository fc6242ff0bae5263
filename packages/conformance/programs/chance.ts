/** Chance: numbers from a seed, and words and capabilities that are right often enough. */

/** Stands in the module's data where the seed goes. */
const given: StaticArray<u32> = [0x5eed0bad];
/** What calls have given: twelve times up to twelve words. */
const SLOTS: u32 = 12;
const slots = memory.data(48 * 12);
let state: u32 = 0;

export function next(): u32 {
  if (state == 0) state = given[0];
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/** Where the results of a call go, and capabilities come from. */
export function slotAt(n: u32): i32 {
  return <i32>slots + 48 * <i32>(n % SLOTS);
}

/** A word of a capability: it follows one word of another result in most calls. */
export function known(slot: i32, word: i32): i32 {
  return next() % 16 == 0 ? <i32>next() : load<i32>(slot + 4 + 4 * word);
}

export function word(): i32 {
  switch (next() % 6) {
    case 0:
      return next() & 15;
    case 1:
      return -1;
    case 2:
      return <i32>next();
    case 3:
      return load<i32>(slotAt(next()));
    case 4:
      return 0x7c0000 + <i32>(next() & 0xffff);
    default:
      return 0;
  }
}
