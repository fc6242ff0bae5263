/** What the workspace's tests share. */
export { EVENT_KINDS, memoryStore } from '@exokernel/hardware';
export { encodePredicate, exposedWord, type Fiber, type PredicateTerm } from '@exokernel/libos-kit';
export { boot, exitOf, memoryFor, quicken, runRaw, type Booted } from './booted.ts';
export { BystanderWatch, bystander } from './bystander.ts';
export { checkInvariants } from './invariants.ts';
export { peer, type Peer } from './peer.ts';
export {
  RAW,
  WINDOW,
  emitCall,
  emitEnd,
  emitReturn,
  emitSpin,
  rawImage,
  type Answer,
  type Raw,
  type RawFrame,
  type RawImage,
  type RawOptions,
} from './raw.ts';
export { WILD, wildImage } from './wild.ts';
export { ANY_KIND, KINDS } from './wild-calls.ts';
export { DUMP, REGISTERS, SCRATCH, changed, emitDump, emitFill, emitRoutine, pattern } from './registers.ts';
export { FIRST_FREE_FRAME } from '@exokernel/aegis/inside';
