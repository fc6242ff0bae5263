/**
 * Attacks on capabilities, made from user mode with real system calls: an environment that knows every public number, and
 * holds capabilities of its own, tries to make one that it was not given. [SOSP95 §3.1]
 */
import {
  CAPABILITY_KINDS,
  ENTRYLO,
  ERRORS,
  RIGHTS,
  type CallArguments,
  type CallName,
  type CallResults,
  type CapabilityWords,
} from '@exokernel/abi';
import type { Fiber, Fibers } from '@exokernel/libos-kit';

/** How one kind of attack went. */
export interface Outcome {
  readonly name: string;
  attempts: number;
  /** Attempts that were not refused with E_CAP. */
  accepted: number;
}

/** What the attacker knows of others. */
export interface Knowledge {
  /** Frames of the victim. */
  readonly frames: readonly number[];
  /** Capabilities that another machine gave for frames of these numbers. */
  readonly foreign: (ppn: number) => CapabilityWords | undefined;
  readonly guesses: number;
}

const WINDOW = 0x100000;
const BITS = 128;
const { read, write } = RIGHTS;

/** All of them, in turn. `outcomes` grows; `genuine` counts what must be accepted, and was not. */
export function* attack(fibers: Fibers, known: Knowledge, outcomes: Outcome[], genuine: Outcome): Fiber<number> {
  const group = (name: string): Outcome => {
    const outcome: Outcome = { name, attempts: 0, accepted: 0 };
    outcomes.push(outcome);
    return outcome;
  };
  /** One attempt, which must be refused. */
  function* refuse<N extends CallName>(outcome: Outcome, name: N, ...args: CallArguments<N>): Fiber<void> {
    outcome.attempts += 1;
    if ((yield* fibers.syscall(name, ...args)) !== ERRORS.E_CAP) outcome.accepted += 1;
  }
  /** One use of what is the caller's own. */
  function* accept<N extends CallName>(name: N, ...args: CallArguments<N>): Fiber<CallResults<N>> {
    genuine.attempts += 1;
    if ((yield* fibers.syscall(name, ...args)) === ERRORS.E_OK) genuine.accepted += 1;
    return fibers.results(name);
  }
  const bind = ([first, ppn, low, high]: CapabilityWords, dirty: boolean): CallArguments<'tlbwr'> => [
    WINDOW,
    (ppn << 12) | ENTRYLO.valid | (dirty ? ENTRYLO.dirty : 0),
    low,
    high,
    first,
  ];
  const head = (CAPABILITY_KINDS.frame << 24) | ((read | write) << 16);

  const { capability: own } = yield* accept('frame_alloc', -1);
  yield* accept('cap_derive', ...own, read, 0);
  yield* accept('tlbwr', ...bind(own, true));

  const guess = group("a guessed MAC for a victim's frame");
  let seed = 1;
  const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
  for (let i = 0; i < known.guesses; i += 1) {
    const words: CapabilityWords = [head, known.frames[i % known.frames.length] ?? 0, random(), random()];
    yield* refuse(guess, 'tlbwr', ...bind(words, (i & 1) === 0));
    if (i % 16 === 0) yield* refuse(guess, 'frame_hold', 0, 0, 0, 0, ...words);
  }

  const bend = group('its own capability with one bit bent, each in turn');
  for (let bit = 0; bit < BITS; bit += 1) {
    const bent = own.map((word, i) => (i === bit >> 5 ? word ^ (1 << (bit & 31)) : word));
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = bent;
    yield* refuse(bend, 'cap_derive', w0, w1, w2, w3, 0, 0);
    if (bit >= 64) yield* refuse(bend, 'tlbwr', ...bind([w0, w1, w2, w3], true));
  }

  const rename = group("its own capability with the name of a victim's frame");
  for (const ppn of known.frames) {
    const words: CapabilityWords = [own[0], ppn, own[2], own[3]];
    yield* refuse(rename, 'frame_free', ...words);
    yield* refuse(rename, 'frame_hold', 0, 0, 0, 0, ...words);
    yield* refuse(rename, 'tlbwr', ...bind(words, false));
  }

  const stale = group('a capability of an earlier life of a frame of its own');
  const { capability: first } = yield* accept('frame_alloc', -1);
  yield* accept('frame_free', ...first);
  const { capability: second } = yield* accept('frame_alloc', first[1]);
  yield* refuse(stale, 'cap_derive', ...first, read, 0);
  yield* refuse(stale, 'frame_free', ...first);
  yield* refuse(stale, 'tlbwr', ...bind(first, false));
  yield* accept('cap_derive', ...second, read, 0);

  const foreign = group('what another machine gave for the frame of that number');
  for (const ppn of [own[1], ...known.frames]) {
    const words = known.foreign(ppn);
    if (words === undefined) continue;
    yield* refuse(foreign, 'cap_derive', ...words, read, 0);
    yield* refuse(foreign, 'tlbwr', ...bind(words, true));
  }

  const rights = group('more rights than its own capability has');
  const { capability: reading } = yield* accept('cap_derive', ...own, read, 0);
  yield* accept('tlbwr', ...bind(reading, false));
  yield* refuse(rights, 'tlbwr', ...bind(reading, true));
  for (const more of [write, read | write, 4, 0xff]) yield* refuse(rights, 'cap_derive', ...reading, more, 0);
  yield* refuse(rights, 'cap_derive', reading[0] | (write << 16), reading[1], reading[2], reading[3], read, 0);
  yield* refuse(rights, 'env_map', 0, 0, 0, 0, ...reading, WINDOW | 1);

  const revoked = group('a capability whose branch was revoked, and those below it');
  const { node, capability: child } = yield* accept('cap_derive', ...own, read | write, 1);
  const { capability: grandchild } = yield* accept('cap_derive', ...child, read, 1);
  yield* accept('cap_revoke', ...own, node);
  for (const words of [child, grandchild]) {
    yield* refuse(revoked, 'cap_derive', ...words, read, 0);
    yield* refuse(revoked, 'tlbwr', ...bind(words, false));
    yield* refuse(revoked, 'frame_free', ...words);
  }
  yield* accept('cap_derive', ...own, read, 0);
  return 0;
}
