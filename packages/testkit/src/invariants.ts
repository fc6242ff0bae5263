/**
 * What must hold of the kernel's tables whenever the machine is between two instructions of a program, recounted from
 * everything that refers to a frame, a slice or an environment.
 */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  CAPABILITY_KINDS,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  ENV_STATUS,
  ENTRYLO,
  EXPOSED,
  EXTENT,
  EXTENT_BYTES,
  EXTENT_LIMIT,
  FILTER,
  FILTER_BYTES,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  FRAME,
  GUARANTEED_LIMIT,
  NODE,
  NODE_BYTES,
  NODE_DEPTH,
  NODE_LIMIT,
  NO_ENV,
  NO_TARGET,
  PAGE_BYTES,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  RIGHTS,
  RING,
  RING_BYTES,
  RING_LIMIT,
  SLICE,
  SLICE_BYTES,
  SLICE_LIMIT,
} from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import {
  FIRST_FREE_FRAME,
  KP,
  MOST_DEBT,
  NO_ASID_TAG,
  PHYSICAL,
  QUOTAS,
  roomOf,
  ringPhysical,
  BUFFER_STATE,
  FILTER_STATE,
  QUOTA,
  QUOTA_KINDS,
  REQUEST_STATE,
  TABLES,
  VARIABLES,
  type QuotaKind,
  type SecretTable,
} from '@exokernel/aegis/inside';
import { KSEG0 } from '@exokernel/isa';
import { checkDisk } from './disk-invariants.ts';
import { isAlive, type Report } from './report.ts';

const ASID_SHIFT = 6;
const GLOBAL = 0x100;
const WIRED = 8;

/** Everything that does not hold, in words; empty if all is well. */
export function checkInvariants(aegis: Aegis): string[] {
  const violations: string[] = [];
  const report: Report = (holds, what) => {
    if (!holds) violations.push(what);
  };
  const holdings = holdingsOf(aegis);
  checkFrames(aegis, holdings, report);
  checkTranslations(aegis, report);
  checkEnvironments(aegis, holdings, report);
  checkSlices(aegis, report);
  checkFamilies(aegis, holdings, report);
  checkNodes(aegis, report);
  checkPackets(aegis, report);
  checkDisk(aegis, report);
  return violations;
}

/** Who holds what, recounted once for all checks. */
interface Holdings {
  /** Environments, by frame. */
  readonly holders: readonly ReadonlySet<number>[];
  /** How many frames each environment holds. */
  readonly counts: readonly number[];
}

function holdingsOf({ parts: { frames } }: Aegis): Holdings {
  const holders = Array.from({ length: frames.count }, () => new Set<number>());
  const counts: number[] = [];
  for (let env = 0; env < ENV_LIMIT; env += 1) {
    const held = frames.heldBy(env);
    counts.push(held.length);
    for (const ppn of held) holders[ppn]?.add(env);
  }
  return { holders, counts };
}

const NONE: ReadonlySet<number> = new Set();

function checkFrames(aegis: Aegis, holdings: Holdings, report: Report): void {
  const { frames, memory, capabilities } = aegis.parts;
  const { pins, borrowed } = countPins(aegis);
  let free = 0;
  for (let ppn = 0; ppn < frames.count; ppn += 1) {
    const holders = holdings.holders[ppn] ?? NONE;
    const name = `frame ${ppn}`;
    report(memory.frame(ppn, FRAME.holders) === holders.size, `${name}: the table counts other holders`);
    for (const env of holders) report(isAlive(aegis, env), `${name}: held by ${env}, which is not alive`);
    const pinned = pins.get(ppn) ?? 0;
    report(
      memory.frame(ppn, FRAME.pins) === pinned,
      `${name}: ${memory.frame(ppn, FRAME.pins)} pins, should be ${pinned}`,
    );
    const auth = [0, 4, 8, 12].map((i) => memory.get(PHYSICAL.frameAuth + 16 * ppn + i));
    const noMac = capabilities.noMac;
    if (ppn < FIRST_FREE_FRAME) {
      report(auth[0] === noMac[0] && auth[1] === noMac[1], `${name}: a kernel frame that can be written`);
    } else if (memory.frame(ppn, FRAME.owner) === NO_ENV) {
      free += 1;
      report(holders.size === 0 && pinned === 0, `${name}: free, but held or pinned`);
      report(
        auth.every((word, i) => word === noMac[i & 1]),
        `${name}: free, but there is a MAC for it`,
      );
    } else {
      report(holders.size > 0 || pinned > 0, `${name}: allocated, but for no environment`);
      report(holders.size > 0 || !borrowed.has(ppn), `${name}: a ring or a window keeps it, for no environment`);
      const macs = [...frames.capability(ppn).slice(2), ...frames.capability(ppn, RIGHTS.read).slice(2)];
      report(
        frames.isGuardChosen(ppn) ||
          auth.every((word, i) => word === macs[i]) ||
          (holders.size === 0 && auth.every((word, i) => word === noMac[i & 1])),
        `${name}: the MACs of its binding are not its capabilities'`,
      );
    }
  }
  report(free === aegis.framesFree, `${free} frames are free, ${aegis.framesFree} are said to be`);
}

/**
 * Pins per frame: u-pages, message rings, variables of predicates, ring slots, windows of handlers, disk transfers; and which
 * frames rings and windows have.
 */
function countPins({ parts: { memory, disk, predicates, filters, registry } }: Aegis): {
  readonly pins: ReadonlyMap<number, number>;
  readonly borrowed: ReadonlySet<number>;
} {
  const pins = new Map<number, number>();
  const borrowed = new Set<number>();
  const pin = (address: number): void => {
    const ppn = Math.floor((address - KSEG0) / PAGE_BYTES);
    pins.set(ppn, (pins.get(ppn) ?? 0) + 1);
  };
  const borrow = (address: number): void => {
    borrowed.add((address - KSEG0) / PAGE_BYTES);
    pin(address);
  };
  for (let env = 0; env < ENV_LIMIT; env += 1) {
    for (const page of [ENV.uPage, ENV.publicPage, ENV.repossession]) {
      if (memory.env(env, page) !== 0) pin(memory.env(env, page));
    }
    const messages = memory.env(env, ENV.messageRing);
    if (messages !== 0) pin(messages);
  }
  for (let ring = 0; ring < RING_LIMIT; ring += 1) {
    const at = ringPhysical(ring);
    if (memory.get(at + RING.env) === 0) continue;
    for (let i = 0; i < memory.get(at + RING.frames); i += 1) {
      const frame = memory.get(at + RING.frame + 4 * i);
      if (frame !== 0) borrow(frame);
    }
  }
  for (const ppn of predicates.pinned) pin(KSEG0 + ppn * PAGE_BYTES);
  for (const ppn of filters.handlers.windows) borrow(KSEG0 + ppn * PAGE_BYTES);
  for (const ppn of registry.pinned) pin(KSEG0 + ppn * PAGE_BYTES);
  for (const ppn of disk.inFlight) pin(KSEG0 + ppn * PAGE_BYTES);
  return { pins, borrowed };
}

/** TLB and STLB lead living environments to allocated frames, or to the exposed tables for reading. */
function checkTranslations(aegis: Aegis, report: Report): void {
  const { memory, frames, asids } = aegis.parts;
  const exposed = exposedFrames(frames.count);
  const check = (where: string, hi: number, lo: number): void => {
    const env = asids.owner((hi >>> ASID_SHIFT) & 63);
    const ppn = lo >>> 12;
    report(hi < KSEG0, `${where}: not a user's page`);
    report(isAlive(aegis, env), `${where}: of environment ${env}, which is not alive`);
    report((lo & GLOBAL) === 0, `${where}: in every address space`);
    if (ppn < FIRST_FREE_FRAME) {
      report(exposed.has(ppn) && (lo & ENTRYLO.dirty) === 0, `${where}: leads to the kernel's frame ${ppn}`);
    } else {
      report(
        ppn < frames.count && memory.frame(ppn, FRAME.owner) !== NO_ENV,
        `${where}: leads to frame ${ppn}, which is free`,
      );
    }
  };
  const { tlb } = aegis.machine.cpu;
  for (let i = WIRED; i < 64; i += 1) if (tlb.hi(i) !== KSEG0) check(`TLB entry ${i}`, tlb.hi(i), tlb.lo(i));
  for (let i = 0; i < 4096; i += 1) {
    const hi = memory.get(PHYSICAL.stlb + 8 * i);
    if (hi !== 0) check(`STLB entry ${i}`, hi, memory.get(PHYSICAL.stlb + 8 * i + 4));
  }
}

function exposedFrames(count: number): ReadonlySet<number> {
  const ppns = new Set<number>();
  for (const [table, bytes] of [
    [EXPOSED.stlb, 0x8000],
    [EXPOSED.environments, ENV_BYTES * ENV_LIMIT],
    [EXPOSED.frames, 16 * count],
    [EXPOSED.slices, PAGE_BYTES],
    [EXPOSED.nodes, NODE_BYTES * NODE_LIMIT],
    [EXPOSED.disk, PAGE_BYTES],
    [EXPOSED.requests, REQUEST_BYTES * REQUEST_LIMIT],
    [EXPOSED.extents, EXTENT_BYTES * EXTENT_LIMIT],
    [EXPOSED.buffers, BUFFER_BYTES * BUFFER_LIMIT],
    [EXPOSED.rings, RING_BYTES * RING_LIMIT],
    [EXPOSED.filters, FILTER_BYTES * FILTER_LIMIT],
    [EXPOSED.filterCode, FILTER_CODE_BYTES],
  ] as const) {
    for (let at = table; at < table + bytes; at += PAGE_BYTES) ppns.add(at / PAGE_BYTES);
  }
  return ppns;
}

function checkEnvironments(aegis: Aegis, { counts }: Holdings, report: Report): void {
  const { memory, frames, asids } = aegis.parts;
  for (let env = 0; env < ENV_LIMIT; env += 1) {
    const name = `environment ${env}`;
    const alive = isAlive(aegis, env);
    const asid = memory.env(env, ENV.asid);
    for (let i = 0; i < 64; i += 1) {
      const has = asids.owner(i) === env;
      report(has === (asid !== 0 && asid === i << ASID_SHIFT), `${name}: ASID ${asid >>> ASID_SHIFT}, not ${i}`);
    }
    const open = asid !== 0 && memory.env(env, ENV.syncEntry) !== 0;
    const gate = memory.env(env, ENV.syncGate);
    report(
      (gate === memory.env(env, ENV.name)) === open,
      `${name}: the gate of synchronous transfers has not its name`,
    );
    report(open || gate % ENV_LIMIT !== env, `${name}: a name opens a gate that is shut`);
    const entry = asid === 0 ? 0 : memory.env(env, ENV.asyncEntry);
    report(memory.env(env, ENV.asyncGate) === entry, `${name}: the gate of asynchronous transfers is not its entry`);
    let ended = false;
    for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
      const hi = memory.env(env, ENV.guaranteed + 8 * slot);
      const ppn = memory.env(env, ENV.guaranteed + 8 * slot + 4) >>> 12;
      if (hi === 0) ended = true;
      else {
        report(
          (hi & (PAGE_BYTES - 1)) === (asid === 0 ? NO_ASID_TAG : asid),
          `${name}: a guaranteed mapping of another space`,
        );
        report(!ended && alive, `${name}: a guaranteed mapping behind the end of the list`);
        const node = memory.env(env, ENV.guaranteedNode + 4 * slot) & 0xffff;
        report(
          frames.isHeldThrough(env, ppn, node),
          `${name}: a guaranteed mapping to frame ${ppn}, which it does not hold`,
        );
      }
    }
    report(memory.env(env, ENV.guaranteedEnd) === 0, `${name}: its list of guaranteed mappings does not end`);
    if (memory.env(env, ENV.status) === ENV_STATUS.runnable) {
      report(memory.env(env, ENV.uPage) !== 0, `${name}: runs without a u-page`);
    }
    checkRevocation(aegis, env, counts[env] ?? 0, report);
    if (alive) continue;
    for (const field of [
      ENV.prologue,
      ENV.epilogue,
      ENV.syncEntry,
      ENV.asyncEntry,
      ENV.uPage,
      ENV.begin,
      ENV.publicPage,
      ENV.repossession,
      ENV.frames,
      ENV.predicate,
      ENV.messageRing,
      ENV.asid,
    ]) {
      report(memory.env(env, field) === 0, `${name}: dead, but word ${field} is left`);
    }
  }
}

/** What counts for families is what their members have, and what has outlived them; guarantees are kept. */
function checkFamilies(aegis: Aegis, { holders }: Holdings, report: Report): void {
  const { memory, families, filters } = aegis.parts;
  const counted = new Map<string, number>();
  const count = (kind: QuotaKind, family: number, n = 1): void => {
    const key = `${kind} ${family}`;
    counted.set(key, (counted.get(key) ?? 0) + n);
  };
  const each = (kind: QuotaKind, at: number, bytes: number, limit: number, owner: number): void => {
    for (let i = 0; i < limit; i += 1) {
      const env = memory.get(at + bytes * i + owner);
      if (env !== NO_ENV) count(kind, families.of(env));
    }
  };
  for (const environments of holders) {
    for (const family of new Set([...environments].map((env) => families.of(env)))) count('frames', family);
  }
  for (let env = 0; env < ENV_LIMIT; env += 1) {
    if (isAlive(aegis, env)) count('environments', families.of(env));
    if (memory.env(env, ENV.predicate) !== 0) count('predicates', families.of(env));
  }
  each('slices', EXPOSED.slices, SLICE_BYTES, SLICE_LIMIT, SLICE.owner);
  each('nodes', EXPOSED.nodes, NODE_BYTES, NODE_LIMIT, NODE.owner);
  each('rings', EXPOSED.rings, RING_BYTES, RING_LIMIT, RING.owner);
  each('filters', EXPOSED.filters, FILTER_BYTES, FILTER_LIMIT, FILTER.owner);
  each('extents', EXPOSED.extents, EXTENT_BYTES, EXTENT_LIMIT, EXTENT.owner);
  const secret = (table: SecretTable, i: number, field: number): number =>
    memory.get(memory.table(table) + table.bytes * i + field);
  for (let filter = 0; filter < FILTER_LIMIT; filter += 1) {
    const owner = filters.owner(filter);
    if (owner === NO_ENV) continue;
    const get = (field: number): number => memory.get(EXPOSED.filters + FILTER_BYTES * filter + field);
    count('filterBytes', families.of(owner), roomOf(memory.bytes(get(FILTER.code), get(FILTER.length))));
    if (get(FILTER.handler) !== 0) count('handlers', families.of(owner));
    count('filterTime', families.of(owner), secret(TABLES.filterState, filter, FILTER_STATE.time));
  }
  for (let i = 0; i < REQUEST_LIMIT; i += 1) {
    if (memory.get(EXPOSED.requests + REQUEST_BYTES * i + REQUEST.env) === NO_ENV) continue;
    count('requests', secret(TABLES.requestState, i, REQUEST_STATE.family));
  }
  for (let i = 0; i < BUFFER_LIMIT; i += 1) {
    if (memory.get(EXPOSED.buffers + BUFFER_BYTES * i + BUFFER.state) === BUFFER_STATES.empty) continue;
    count('buffers', secret(TABLES.bufferState, i, BUFFER_STATE.family));
  }
  for (const [kind, row] of Object.entries(QUOTA_KINDS) as [QuotaKind, number][]) {
    let [used, reserved] = [0, 0];
    for (let family = 0; family < ENV_LIMIT; family += 1) {
      const has = counted.get(`${kind} ${family}`) ?? 0;
      report(
        families.has(kind, family) === has,
        `family ${family} has ${has} ${kind}, not ${families.has(kind, family)}`,
      );
      const beyond = families.beyond(kind, family);
      report(
        beyond >= 0 || families.has('environments', family) > 0,
        `family ${family} has no members, and a guarantee of ${kind}`,
      );
      used += has;
      reserved += Math.max(0, -beyond);
    }
    report(
      secret(TABLES.quotas, row, QUOTA.used) === used,
      `${used} ${kind} count for families, not as the table says`,
    );
    report(
      secret(TABLES.quotas, row, QUOTA.reserved) === reserved,
      `${reserved} ${kind} are kept, not as the table says`,
    );
    // Frames are not kept but revoked; of environments the host loads as many as it likes.
    if (kind === 'frames' || kind === 'environments') continue;
    const shared = kind === 'filterTime' ? memory.variable(VARIABLES.filterTime) : 0;
    report(
      used + shared + reserved <= QUOTAS[kind].total,
      `${kind}: ${used + shared} are taken, and ${reserved} guaranteed`,
    );
  }
}

/** Every node hangs, in a way that ends at the root, below living ones of its resource, and its maker lives. */
function checkNodes(aegis: Aegis, report: Report): void {
  const { nodes } = aegis.parts.capabilities;
  for (let node = 1; node < NODE_LIMIT; node += 1) {
    if (nodes.generation(node) === undefined) continue;
    const name = `node ${node}`;
    report(isAlive(aegis, nodes.owner(node)), `${name}: made by ${nodes.owner(node)}, which is not alive`);
    const resource = nodes.resource(node);
    const { kind, name: of } = resource;
    report(aegis.parts.capabilities.exists(resource), `${name}: its resource is gone`);
    const lists = [nodes.of(resource), nodes.ownedBy(nodes.owner(node)), nodes.below(nodes.parent(node))];
    report(
      lists.every((list) => list.filter((other) => other === node).length === 1),
      `${name}: is not once in each of its lists`,
    );
    let depth = 0;
    for (let at = node; at !== 0 && depth <= NODE_DEPTH; at = nodes.parent(at)) {
      depth += 1;
      const above = nodes.resource(at);
      // A frame of the registry may have been come to through a branch of the extent.
      const isExtent = kind === CAPABILITY_KINDS.frame && above.kind === CAPABILITY_KINDS.extent;
      const same = isExtent || (above.kind === kind && above.name === of);
      report(nodes.generation(at) !== undefined && same, `${name}: hangs below ${at}, which is gone or another's`);
    }
    report(depth <= NODE_DEPTH, `${name}: too deep`);
  }
}

/** Where slices begin, what is held and what is asked for. */
function checkRevocation(aegis: Aegis, env: number, held: number, report: Report): void {
  const { memory } = aegis.parts;
  const name = `environment ${env}`;
  const begin = memory.env(env, ENV.begin);
  report(begin === 0 || begin === memory.env(env, ENV.prologue), `${name}: begins where it should not`);
  report(memory.env(env, ENV.frames) === held, `${name}: holds ${held} frames, not ${memory.env(env, ENV.frames)}`);
  if (memory.env(env, ENV.status) === ENV_STATUS.free) return;
  const deadline = memory.env(env, ENV.revokeDeadline);
  const asked = [ENV.frameTarget, ENV.sliceTarget].some((field) => memory.env(env, field) !== NO_TARGET);
  report(asked === (deadline !== 0), `${name}: a deadline without a request, or a request without a deadline`);
  const left = (deadline - memory.kernelPage(KP.tick)) | 0;
  report(!asked || (left > 0 && left <= SLICE_LIMIT + 2), `${name}: a deadline in ${left} ticks`);
}

function checkSlices(aegis: Aegis, report: Report): void {
  const { memory, families } = aegis.parts;
  let end = 0;
  for (let p = 0; p < SLICE_LIMIT; p += 1) {
    const owner = memory.slice(p, SLICE.owner);
    const running = memory.slice(p, SLICE.running);
    const name = `slice ${p}`;
    if (owner === NO_ENV) {
      report(running === 0, `${name}: free, but ${running.toString(16)} runs in it`);
      continue;
    }
    end = p + 1;
    report(isAlive(aegis, owner), `${name}: owned by ${owner}, which is not alive`);
    const runner = (running - KSEG0 - PHYSICAL.environments) / ENV_BYTES;
    const runs = running !== 0 && memory.env(runner, ENV.status) === ENV_STATUS.runnable;
    const waits = running === 0 && memory.env(owner, ENV.status) === ENV_STATUS.embryo;
    report(runs || waits, `${name}: ${running.toString(16)} runs in it, which cannot`);
    const owes = (memory.get(families.creditOf(families.of(owner))) | 0) < 0;
    // Of an embryo it is when that is started.
    const pledged = waits || (memory.slice(p, SLICE.credit) | 0) < -2 * MOST_DEBT;
    report(!owes || pledged, `${name}: its family owes, but it is not pledged`);
  }
  report(memory.kernelPage(KP.vectorBytes) === end * SLICE_BYTES, 'the vector has another length than its slices');
  const here = memory.kernelPage(KP.slice);
  const position = (here - KSEG0 - PHYSICAL.slices) / SLICE_BYTES;
  const owned = position >= 0 && position < SLICE_LIMIT && memory.slice(position, SLICE.owner) !== NO_ENV;
  const nothing = here === 0 || here === memory.kernelPage(KP.noSlice);
  report(owned || nothing, `the slice to donate is ${here.toString(16)}, which has no owner`);
}

/** Rings and filters belong to the living; filters deliver to rings that exist; taps are receive rings, each once. */
function checkPackets(aegis: Aegis, report: Report): void {
  const { memory } = aegis.parts;
  const rings = new Map<number, number>();
  for (let ring = 0; ring < RING_LIMIT; ring += 1) {
    const at = ringPhysical(ring);
    const owner = memory.get(at + RING.owner);
    const exists = memory.get(at + RING.env) !== 0;
    report(exists === (owner !== NO_ENV), `ring ${ring}: half there`);
    if (!exists) continue;
    rings.set(KSEG0 + at, ring);
    report(isAlive(aegis, owner), `ring ${ring}: owned by ${owner}, which is not alive`);
    report(memory.get(at + RING.index) < memory.get(at + RING.slots), `ring ${ring}: is behind its last slot`);
  }
  const taps = new Set<number>();
  for (let at = memory.kernelPage(KP.tap); at !== 0 && !taps.has(at); at = memory.get(at - KSEG0 + RING.nextTap)) {
    taps.add(at);
    const isReceive = rings.has(at) && memory.get(at - KSEG0 + RING.direction) === 0;
    report(isReceive, `the tap ${at.toString(16)} is no receive ring`);
  }
  for (let filter = 0; filter < FILTER_LIMIT; filter += 1) {
    const at = EXPOSED.filters + filter * FILTER_BYTES;
    const owner = memory.get(at + FILTER.owner);
    const ring = memory.get(at + FILTER.ring);
    if (memory.get(at + FILTER.generation) === 0) continue;
    report(ring === 0 || rings.has(ring), `filter ${filter}: delivers to no ring`);
    if (owner === NO_ENV) report(ring === 0, `filter ${filter}: free, but it delivers`);
    else report(isAlive(aegis, owner), `filter ${filter}: owned by ${owner}, which is not alive`);
  }
}
