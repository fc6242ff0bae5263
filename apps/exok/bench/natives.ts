/**
 * What the kernel's TypeScript costs the host for each cycle that it is charged for: over all kinds of work and their sizes the
 * spread says how far the prices of `costs.ts` are from what the work is.
 *
 * Each case makes something and ends it again, so that it can be repeated; the figures are those of both together.
 */
import { Aegis } from '@exokernel/aegis';
import { ENV, ENV_STATUS, NO_ENV, POLICIES, RIGHTS } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter } from '@exokernel/dpf';
import { Machine, memoryStore } from '@exokernel/hardware';
import { encodePredicate } from '@exokernel/libos-kit';
import { median, type Bar, type Report, type Row } from './report.ts';

type Parts = Aegis['parts'];
/** Does the work once. */
type Work = () => void;

const ROUNDS = 5;
/** Host time of one round of one case, and of what comes before the first, so that the code is warm. */
const ROUND_MS = 60;
const WARM_MS = 200;
const MOST_SPREAD = 10;

/** A kernel with one environment; `env` is its number. */
function world(): { readonly parts: Parts; readonly env: number } {
  const machine = new Machine({ ramBytes: 32 << 20, disk: { store: memoryStore(8192 * 4096) } });
  const { parts } = new Aegis(machine);
  return { parts, env: parts.environments.allocate(NO_ENV, undefined) };
}

/** By name: makes what the work needs, and gives it. */
function cases(): readonly (readonly [name: string, parts: Parts, work: Work])[] {
  const { parts, env } = world();
  const { frames, capabilities, environments, slices, extents, rings, predicates } = parts;
  const all: (readonly [string, Parts, Work])[] = [];
  const add = (name: string, work: Work, of: Parts = parts): void => void all.push([name, of, work]);
  const frame = frames.allocate(env, -1);
  const root = frames.capability(frame);

  add('a frame', () => {
    const ppn = frames.allocate(env, -1);
    frames.capability(ppn);
    frames.drop(env, ppn);
  });
  for (const count of [1, 8, 60]) {
    add(`a branch of a capability with ${count - 1} below it`, () => {
      let parent = root;
      for (let i = 0; i < count; i += 1) {
        const made = capabilities.branch(i % 7 === 0 ? root : parent, RIGHTS.read, env);
        if (typeof made !== 'number') parent = made;
      }
      for (const node of capabilities.nodes.ownedBy(env)) {
        if (capabilities.nodes.generation(node) !== undefined) capabilities.end(node);
      }
    });
  }
  for (const count of [0, 16, 256, 1024]) {
    add(`an environment with ${count} frames`, () => {
      const child = environments.allocate(env, undefined);
      for (let i = 0; i < count; i += 1) frames.allocate(child, -1);
      environments.end(child, 1);
    });
  }
  add('a slice', () => {
    slices.free(slices.allocate(env, -1));
  });
  for (const blocks of [1, 4096]) {
    add(`an extent of ${blocks} blocks`, () => {
      extents.free(extents.allocate(env, -1, blocks, 8192));
    });
  }
  add('a ring', () => {
    rings.free(rings.bind(env, frame, { transmit: false, slots: 1 }));
  });
  const variable = { physical: 4096 * frame, capability: root };
  const predicate = encodePredicate([{ tag: 1, terms: [{ left: variable, operator: 'eq', right: 1 }] }]);
  add('a predicate of one term', () => {
    predicates.set(env, predicate);
    predicates.release(env);
  });
  for (const others of [0, 16, 64, 200]) withFilters(others, add);
  return all;
}

/** A filter bound among so many others, and a handler attached to one. */
function withFilters(others: number, add: (name: string, work: Work, of: Parts) => void): void {
  const { parts, env } = world();
  const { filters, frames, rings, environments, memory } = parts;
  memory.setEnv(env, ENV.status, ENV_STATUS.runnable);
  const ring = rings.bind(env, frames.allocate(env, -1), { transmit: false, slots: 1 });
  const bind = (port: number): number =>
    filters.bind(env, {
      bytes: encodeFilter([
        { kind: 'eq', offset: 12, size: 2, value: 0x800 },
        { kind: 'eq', offset: 36, size: 2, value: port },
      ]),
      ring,
      node: 0,
      policy: POLICIES.specific,
    });
  for (let i = 0; i < others; i += 1) bind(1000 + i);
  add(
    `a filter among ${others} others`,
    () => {
      filters.free(bind(999));
    },
    parts,
  );
  if (others > 0) return;
  const id = bind(998);
  environments.capability(env);
  for (const stores of [1, 64]) {
    const handler = encodeHandler(
      defineHandler('stores', { windowBytes: 0 }, (h) => {
        for (let i = 0; i < stores; i += 1) h.code.store(h.reply, 4, 'little', 4 * i, i);
        h.consume(60);
      }),
    );
    add(
      `a handler of ${stores} stores`,
      () => {
        filters.attach(id, handler, 0);
      },
      parts,
    );
  }
}

/** Nanoseconds of the host for each cycle, over as many runs as fit the time. */
function measure(parts: Parts, work: Work, milliseconds: number): number {
  parts.memory.spent();
  const from = performance.now();
  let now = from;
  while (now - from < milliseconds) {
    work();
    now = performance.now();
  }
  return ((now - from) * 1e6) / parts.memory.spent();
}

export async function natives(): Promise<Report> {
  const all = cases();
  const rates = new Map<string, number[]>();
  for (const [name, parts, work] of all) measure(parts, work, WARM_MS * (name.startsWith('a filter') ? 3 : 1));
  for (let round = 0; round < ROUNDS; round += 1) {
    process.stderr.write(`natives: round ${round + 1} of ${ROUNDS}\n`);
    for (const [name, parts, work] of all) {
      rates.set(name, [...(rates.get(name) ?? []), measure(parts, work, ROUND_MS)]);
    }
    await Promise.resolve();
  }
  const rows: Row[] = [...rates].map(([name, rounds]) => ({ name, unit: 'ns/cycle', median: median(rounds), rounds }));
  const medians = rows.map((row) => row.median);
  const spread = Math.max(...medians) / Math.min(...medians);
  const bars: Bar[] = [
    {
      text: `dearest to cheapest host time for each cycle of the kernel's TypeScript (at most ${MOST_SPREAD})`,
      value: spread,
      holds: spread <= MOST_SPREAD,
    },
  ];
  return { rows, bars };
}
