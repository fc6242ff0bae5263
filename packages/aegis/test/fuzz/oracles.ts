/**
 * The fuzzer's oracles: what must hold whatever the environments do. Those that cost nothing are listeners of the machine, the
 * others look at memory between its steps, and at once when an environment says that something is its own now.
 */
import {
  CALLS,
  CAPABILITY_KINDS,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  EXPOSED,
  EXTENT,
  EXTENT_BYTES,
  FRAME,
  GUARANTEED_LIMIT,
  NO_ENV,
  PAGE_BYTES,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  STLB_ENTRIES,
} from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import { EVENT_KINDS, SECTOR_BYTES, type BlockStore } from '@exokernel/hardware';
import { checkInvariants } from '../../../testkit/src/index.ts';
import { LONGEST as MOST_CHARGED } from '../../src/costs.ts';
import { kernelImage } from '../../src/kernel-image.ts';
import { FIRST_FREE_FRAME, KP, PHYSICAL } from '../../src/layout.ts';
import { REQUEST_STATE, TABLES } from '../../src/tables.ts';
import { LONGEST } from '../stretches.ts';
import { GRANTED } from './colluding.ts';
import { SECRET, type Ledger, type Private } from './ledger.ts';

/** What an env_map of a public page for a child may be charged: it takes 18,040 cycles. All else is paid before, or takes less. */
const MOST_MAPPED = 18_500;
/** Where an interrupt of the kernel itself comes back to while user mode runs. */
const SCHEDULE: number | undefined = kernelImage().symbols.get('schedule');
/** Status.KUc and IEc. */
const USER = 2;
const ENABLED = 1;
const WORDS = PAGE_BYTES / 4;
const REQUEST_WORDS: number = TABLES.requestState.bytes / 4;

export interface Oracles {
  /** What costs a little. */
  readonly look: () => void;
  /** Everything. */
  readonly inspect: () => void;
}

export function watch(aegis: Aegis, ledger: Ledger, disk: BlockStore, sent: readonly Uint8Array[]): Oracles {
  const { machine } = aegis;
  watchMode(aegis, ledger);
  const text = machine.memory.read(0, new Uint8Array(PHYSICAL.stlb));
  const isText = (at: number): boolean => at < PHYSICAL.kernelPage || at >= PHYSICAL.text;
  let looked = 0;
  const look = (): void => {
    const { lastError } = machine.native;
    if (lastError !== undefined)
      ledger.report(`function ${lastError.index} of an environment threw ${lastError.message}`);
    checkPrivates(aegis, ledger);
  };
  const inspect = (): void => {
    look();
    const now = machine.memory.read(0, new Uint8Array(text.length));
    const changed = now.findIndex((byte, at) => byte !== text[at] && isText(at));
    if (changed >= 0) ledger.report(`the kernel's text at ${changed.toString(16)} has changed`);
    checkSecrets(aegis, ledger, disk);
    for (; looked < sent.length; looked += 1) checkPacket(sent[looked] ?? new Uint8Array(), ledger);
    for (const words of ledger.dead) {
      if (ledger.isAlive(words))
        ledger.report(`the capability ${words.map((word) => word.toString(16)).join()} is dead, but granted`);
    }
    for (const violation of checkInvariants(aegis)) ledger.report(violation);
  };
  ledger.look = look;
  return { look, inspect };
}

/** No stretch with interrupts off that is too long, no exception in kernel mode but interrupts that it lets in; no native function that takes longer than a stretch has room for. */
function watchMode({ machine, parts }: Aegis, ledger: Ledger): void {
  let user = false;
  let from = 0;
  let done: string[] = [];
  machine.listen((kind, cycle, a, b, c) => {
    if (kind === EVENT_KINDS.native.kind && b < 0) done.push(`function ${a} (${c}) at ${cycle - from}`);
    if (kind === EVENT_KINDS.return.kind && (a & ENABLED) !== 0) {
      if (cycle - from > LONGEST) ledger.report(`interrupts were off for ${cycle - from} cycles: ${done.join(', ')}`);
      from = cycle;
      done = [];
    }
    if (kind === EVENT_KINDS.return.kind) {
      user = (a & USER) !== 0;
      if (user && parts.memory.kernelPage(KP.resume) !== SCHEDULE)
        ledger.report('an interrupt of the kernel would come back elsewhere');
    }
    if (kind === EVENT_KINDS.exception.kind) {
      if (!user && a !== 0) ledger.report(`exception ${a} in kernel mode at ${b.toString(16)}`);
      user = false;
      from = cycle;
      done = [`exception ${a}`];
    } else if (
      kind === EVENT_KINDS.native.kind &&
      b < 0 &&
      c > (a === CALLS.env_map.number ? MOST_MAPPED : MOST_CHARGED)
    ) {
      ledger.report(`function ${a} of the kernel took ${c} cycles at once`);
    }
  });
}

/** Private frames hold what they should, and only their owners reach them. */
function checkPrivates(aegis: Aegis, ledger: Ledger): void {
  const alone = [...ledger.privates.values()].filter((one) => {
    if (ledger.stands(one)) return true;
    ledger.end(one.ppn);
    return false;
  });
  if (alone.length === 0) return;
  for (const one of alone) {
    if (!ledger.isIntact(one)) ledger.report(`frame ${one.ppn} of environment ${one.env} was written`);
  }
  const secret = new Map(alone.filter(({ readOnly }) => !readOnly).map((one) => [one.ppn, one]));
  const report = (one: Private, what: string): void => {
    ledger.report(`frame ${one.ppn} of environment ${one.env} alone: ${what}`);
  };
  checkTranslations(aegis, secret, report);
  for (const one of secret.values()) checkBindings(aegis, ledger, one, report);
}

type Report = (one: Private, what: string) => void;

function checkTranslations(aegis: Aegis, secret: ReadonlyMap<number, Private>, report: Report): void {
  const { memory, asids } = aegis.parts;
  const check = (where: string, hi: number, lo: number): void => {
    const one = secret.get(lo >>> 12);
    if (one === undefined || hi >>> 0 >= 0x80000000) return;
    const env = asids.owner((hi >>> 6) & 63);
    if (env !== one.env) report(one, `${where} of environment ${env} leads there`);
  };
  const { tlb } = aegis.machine.cpu;
  for (let i = 8; i < 64; i += 1) check(`TLB entry ${i}`, tlb.hi(i), tlb.lo(i));
  const stlb = memory.words(PHYSICAL.stlb, 2 * STLB_ENTRIES);
  for (let i = 0; i < stlb.length; i += 2)
    if (stlb[i] !== 0) check(`STLB entry ${i / 2}`, stlb[i] ?? 0, stlb[i + 1] ?? 0);
  for (let env = 0; env < ENV_LIMIT; env += 1) {
    const words = memory.words(EXPOSED.environments + env * ENV_BYTES + ENV.guaranteed, 2 * GUARANTEED_LIMIT);
    for (let i = 0; i < words.length && words[i] !== 0; i += 2) {
      const one = secret.get((words[i + 1] ?? 0) >>> 12);
      if (one !== undefined && one.env !== env) report(one, `environment ${env} maps it for good`);
    }
  }
}

/** Holds, pins, nodes and capabilities of others. */
function checkBindings(aegis: Aegis, ledger: Ledger, one: Private, report: Report): void {
  const { frames, memory, capabilities, disk, registry } = aegis.parts;
  const { ppn, env } = one;
  for (const holder of frames.holders(ppn)) if (holder !== env) report(one, `environment ${holder} holds it`);
  // A transfer that has lost its right still pins the frame, and does not touch it.
  const passing = [...disk.inFlight, ...registry.pinned].filter((other) => other === ppn).length;
  const pins = memory.frame(ppn, FRAME.pins) - passing;
  if (pins !== 0) report(one, `${pins} rings, windows, predicates or pages pin it`);
  for (let i = 0; i < REQUEST_LIMIT; i += 1) {
    const by = memory.get(EXPOSED.requests + REQUEST_BYTES * i + REQUEST.env);
    const state = memory.words(memory.table(TABLES.requestState) + TABLES.requestState.bytes * i, REQUEST_WORDS);
    const isDirect = state[REQUEST_STATE.bounced / 4] === 0 && state[REQUEST_STATE.keeps / 4] === 0;
    if (by === NO_ENV || by === env || !isDirect) continue;
    const count = memory.get(EXPOSED.requests + REQUEST_BYTES * i + REQUEST.count);
    const has = state.subarray(REQUEST_STATE.frames / 4, REQUEST_STATE.frames / 4 + count);
    if (has.some((word) => (word & 0xffff) === ppn)) report(one, `the device has it for environment ${by}`);
  }
  const { nodes } = capabilities;
  for (const node of nodes.of({ kind: CAPABILITY_KINDS.frame, name: ppn })) {
    if (nodes.owner(node) !== env) report(one, `node ${node} of environment ${nodes.owner(node)} is below it`);
  }
  for (const words of ledger.capabilities) {
    if (words[0] >>> 24 !== CAPABILITY_KINDS.frame || words[1] !== ppn) continue;
    if (frames.readBy(words) !== undefined)
      report(one, `the capability ${words.map((w) => w.toString(16)).join()} still reads it`);
  }
}

/** No word of memory or disk that an environment has is a secret of another's. */
function checkSecrets(aegis: Aegis, ledger: Ledger, disk: BlockStore): void {
  const { frames, memory, extents } = aegis.parts;
  for (let ppn = FIRST_FREE_FRAME; ppn < frames.count; ppn += 1) {
    if (memory.frame(ppn, FRAME.owner) === NO_ENV) continue;
    const words = memory.words(PAGE_BYTES * ppn, WORDS);
    let last = 0;
    for (const word of words) {
      if (word >>> 20 !== SECRET || word === last) continue;
      last = word;
      const owner = ledger.secrets.get(word);
      if (owner === undefined) continue;
      for (const holder of frames.holders(ppn)) {
        if (ledger.name(holder) !== owner) {
          ledger.report(
            `environment ${holder} has ${word.toString(16)}, a secret of ${owner.toString(16)}, in frame ${ppn}`,
          );
        }
      }
    }
  }
  const block = new Uint8Array(PAGE_BYTES);
  for (let n = GRANTED; n < (disk.blocks * SECTOR_BYTES) / PAGE_BYTES; n += 1) {
    const extent = extents.covering(n);
    if (extent === undefined || extents.isBlank(n)) continue;
    disk.read((n * PAGE_BYTES) / SECTOR_BYTES, block);
    const holder = memory.get(EXPOSED.extents + EXTENT_BYTES * extent + EXTENT.owner);
    for (const word of new Uint32Array(block.buffer)) {
      const owner = word >>> 20 === SECRET ? ledger.secrets.get(word) : undefined;
      if (owner !== undefined && ledger.name(holder) !== owner) {
        ledger.report(
          `block ${n} of environment ${holder} has ${word.toString(16)}, a secret of ${owner.toString(16)}`,
        );
        break;
      }
    }
  }
}

/** What the wire has seen is no secret any more. */
function checkPacket(bytes: Uint8Array, ledger: Ledger): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; at += 1) {
    const word = view.getUint32(at, true);
    if (word >>> 20 === SECRET && ledger.secrets.has(word))
      ledger.report(`a packet has the secret ${word.toString(16)}`);
  }
}
