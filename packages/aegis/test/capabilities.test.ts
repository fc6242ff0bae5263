/** Self-authenticating capabilities from the outside: what is not one opens nothing. [SOSP95 §3.1] */
import { CALLS, ERRORS, RIGHTS, type CallName, type CapabilityWords } from '@exokernel/abi';
import { arp, encodeFilter } from '@exokernel/dpf';
import { Machine, memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { Capabilities } from '../src/capabilities.ts';
import { KernelMemory } from '../src/memory.ts';
import { Families } from '../src/families.ts';
import { Nodes } from '../src/nodes.ts';
import { checkInvariants, runRaw, type Fiber, type Raw } from '../../testkit/src/index.ts';

const { read: READ, write: WRITE, control: CONTROL } = RIGHTS;
const READ_WRITE = READ | WRITE;

type Kind = 'frame' | 'env' | 'extent' | 'serial' | 'slice' | 'ring' | 'filter' | 'net';
type Need = readonly [kind: Kind, rights: number];

/** What each capability of each call has to be, and its other arguments, so that only the capability is wrong. */
const CHECKED: readonly (readonly [call: CallName, needs: readonly Need[], rest: readonly number[]])[] = [
  ['frame_free', [['frame', READ]], []],
  [
    'frame_hold',
    [
      ['env', CONTROL],
      ['frame', READ],
    ],
    [],
  ],
  ['cap_derive', [['frame', 0]], [0, 0]],
  ['cap_derive', [['env', CONTROL]], [0, 0]],
  ['cap_derive', [['extent', 0]], [0, 1]],
  ['cap_derive', [['serial', 0]], [0, 1]],
  // Node 1 is the first that `resources` makes.
  ['cap_revoke', [['frame', 0]], [1]],
  ['frame_guard', [['frame', READ_WRITE]], [0, 1, 2]],
  ['env_free', [['env', CONTROL]], [1]],
  ['env_set', [['env', CONTROL]], [0x14, 0x2000]],
  ['revoke', [['env', CONTROL]], [0, 1, 0]],
  [
    'env_map',
    [
      ['env', CONTROL],
      ['frame', READ],
    ],
    [0x200000],
  ],
  [
    'env_map',
    [
      ['env', CONTROL],
      ['frame', READ_WRITE],
    ],
    [0x200001],
  ],
  ['slice_alloc', [['env', CONTROL]], [-1]],
  ['slice_free', [['slice', CONTROL]], []],
  ['slice_give', [['slice', CONTROL]], [0]],
  [
    'slice_swap',
    [
      ['slice', WRITE],
      ['slice', WRITE],
    ],
    [],
  ],
  ['wake_set', [['frame', READ]], [0]],
  ['msg_bind', [['frame', READ_WRITE]], []],
  ['ring_bind', [['frame', READ_WRITE]], [0, 1]],
  [
    'ring_extend',
    [
      ['ring', CONTROL],
      ['frame', READ_WRITE],
    ],
    [],
  ],
  ['ring_free', [['ring', CONTROL]], []],
  [
    'filter_bind',
    [
      ['frame', READ],
      ['ring', WRITE],
    ],
    [0, 0],
  ],
  ['filter_free', [['filter', CONTROL]], []],
  [
    'ash_window',
    [
      ['filter', CONTROL],
      ['frame', READ_WRITE],
    ],
    [0],
  ],
  [
    'tap_bind',
    [
      ['net', READ],
      ['ring', CONTROL],
    ],
    [],
  ],
  [
    'ash_attach',
    [
      ['filter', CONTROL],
      ['frame', READ],
    ],
    [0],
  ],
  ['serial_write', [['serial', WRITE]], [1, 65]],
  ['serial_read', [['serial', READ]], []],
  [
    'disk_read',
    [
      ['extent', READ],
      ['frame', READ_WRITE],
    ],
    [0, 0],
  ],
  [
    'disk_write',
    [
      ['extent', WRITE],
      ['frame', READ],
    ],
    [0, 0],
  ],
  ['extent_free', [['extent', CONTROL]], []],
  [
    'disk_request',
    [
      ['extent', READ],
      ['frame', READ],
    ],
    [1, 0, 0],
  ],
  [
    'disk_request',
    [
      ['extent', WRITE],
      ['frame', READ],
    ],
    [1, 1, 0],
  ],
  [
    'bc_insert',
    [
      ['extent', WRITE],
      ['frame', READ_WRITE],
    ],
    [0, 0],
  ],
  ['bc_map', [['extent', READ]], [0]],
  ['bc_dirty', [['extent', WRITE]], [0, 0]],
  ['bc_write', [['extent', WRITE]], [0, 0]],
  ['bc_remove', [['extent', WRITE]], [0]],
  ['bc_words', [['extent', WRITE]], [0, 1, 2]],
];
const ALL_RIGHTS: Record<Kind, number> = {
  frame: READ_WRITE,
  env: CONTROL,
  extent: READ_WRITE | CONTROL,
  serial: READ_WRITE,
  slice: WRITE | CONTROL,
  ring: WRITE | CONTROL,
  filter: CONTROL,
  net: READ,
};

test('the table names every call that takes a capability', () => {
  const taking = Object.entries(CALLS).filter(([, { args }]) => args.some((arg) => arg.endsWith(':4')));
  expect(new Set(CHECKED.map(([call]) => call))).toEqual(new Set(taking.map(([call]) => call)));
});

const HOST = { disk: { store: memoryStore(64 * 4096) } };
const EXTENT = { extent: { start: 0, blocks: 8 }, tap: true };

function* derive(raw: Raw, from: CapabilityWords, rights: number): Fiber<CapabilityWords> {
  const { code, capability } = yield* raw.call('cap_derive', ...from, rights, 0);
  expect(code).toBe(0);
  return capability;
}

/** One living resource of each kind; and slice 63, which some calls want besides. */
function* resources(raw: Raw): Fiber<Record<Kind, CapabilityWords>> {
  const { capability: env } = yield* raw.call('env_alloc');
  const { capability: frame } = yield* raw.frame();
  // A list for disk_request: of this frame itself, for block 0.
  const list = new Uint8Array(new Uint32Array([...frame, 0]).buffer);
  yield* raw.fill({ ppn: frame[1], capability: frame }, list);
  const { capability: slice } = yield* raw.call('slice_alloc', ...env, 63);
  expect((yield* raw.call('cap_derive', ...frame, 0, 1)).value).toBe(1);
  const page = yield* raw.frame();
  const ring = yield* raw.call('ring_bind', ...page.capability, 0, 1);
  const bytes = encodeFilter(arp());
  yield* raw.fill(page, bytes);
  const filter = yield* raw.call('filter_bind', ...page.capability, ...ring.capability, bytes.length, 0);
  expect([ring.code, filter.code]).toEqual([0, 0]);
  return {
    frame,
    env,
    slice,
    extent: yield* raw.granted('extent'),
    serial: yield* raw.granted('serial'),
    ring: ring.capability,
    filter: filter.capability,
    net: yield* raw.granted('net'),
  };
}

/** Capabilities that must not do where `right`, of this kind, would: each with what is wrong about it. */
function* wrong(
  raw: Raw,
  right: Record<Kind, CapabilityWords>,
  [kind, rights]: Need,
): Fiber<[string, CapabilityWords][]> {
  const true4 = right[kind];
  const [head, name, low, high] = true4;
  const list: [string, CapabilityWords][] = [
    ['MAC, low word', [head, name, low ^ 1, high]],
    ['MAC, high word', [head, name, low, high ^ 0x80000000]],
    ['MAC words exchanged', [head, name, high, low]],
    ['MAC of zeros', [head, name, 0, 0]],
    ['of a node that there is not', [head | 1000, name, low, high]],
    ['of a node of another resource', [head | 1, name, low, high]],
    ['more rights', [head | 0xff0000, name, low, high]],
    ['kind 0', [head & 0xffffff, name, low, high]],
    ['kind 255', [head | 0xff000000, name, low, high]],
    ['the next name', [head, name + 1, low, high]],
    ['a name out of range', [head, 0x7fffffff, low, high]],
    ['a name that is negative', [head, 0xffffffff, low, high]],
  ];
  if (kind !== 'env') list.push(['null', [0, 0, 0, 0]]);
  for (const other of Object.keys(right) as Kind[]) {
    if (other === kind) continue;
    list.push([`of a ${other}`, right[other]]);
    list.push([`of a ${other}, called a ${kind}`, [head, name, right[other][2], right[other][3]]]);
  }
  for (let bit = 1; bit <= ALL_RIGHTS[kind]; bit <<= 1) {
    if ((rights & bit) !== 0) list.push([`without right ${bit}`, yield* derive(raw, true4, ALL_RIGHTS[kind] & ~bit)]);
  }
  if (kind === 'frame') {
    // A frame of the same name in an earlier life, and another frame's capability under this name.
    const old = yield* raw.frame();
    expect(yield* raw.code('frame_free', ...old.capability)).toBe(0);
    list.push(['of a free frame', old.capability]);
    const again = yield* raw.frame(old.ppn);
    list.push(['of an earlier life', old.capability]);
    list.push(['of another frame', [head, name, again.capability[2], again.capability[3]]]);
    list.push(['of a frame of the kernel', [head, 0x20, low, high]]);
  }
  if (kind === 'ring' || kind === 'filter') {
    const page = (yield* raw.frame()).capability;
    const other = yield* raw.call('ring_bind', ...page, 0, 1);
    yield* raw.code('ring_free', ...other.capability);
    if (kind === 'ring') list.push(['of a ring that is gone', other.capability]);
    const again = yield* raw.call('ring_bind', ...page, 0, 1);
    if (kind === 'ring') list.push(['of another’s earlier life', other.capability]);
    list.push(['of another ring', [head, name, again.capability[2], again.capability[3]]]);
  }
  if (kind === 'env') {
    const dead = yield* raw.call('env_alloc');
    expect(yield* raw.code('env_free', ...dead.capability, 0)).toBe(0);
    list.push(['of a dead environment', dead.capability]);
  }
  return list;
}

test.each(CHECKED.map(([call, needs, rest]) => [call, needs.map(([kind]) => kind).join(), { needs, rest }] as const))(
  '%s refuses every wrong capability (%s)',
  (call, _, { needs, rest }) => {
    const codes: [string, number][] = [];
    const booted = runRaw(
      function* (raw) {
        const right = yield* resources(raw);
        for (const [i, need] of needs.entries()) {
          for (const [what, bad] of yield* wrong(raw, right, need)) {
            // Deriving a subset from a capability without all rights is what cap_derive is for.
            if (call === 'cap_derive' && /^(of a [a-z]+|without right \d)$/.test(what)) continue;
            // With the null capability one flushes what nobody holds.
            if (call === 'bc_write' && what === 'null') continue;
            const given = needs.flatMap(([kind], j) => (i === j ? bad : right[kind]));
            codes.push([`${call}: ${what}`, yield* raw.code(call, ...given, ...rest)]);
          }
        }
        // And nothing else was wrong.
        expect(yield* raw.code(call, ...needs.flatMap(([kind]) => right[kind]), ...rest)).not.toBe(ERRORS.E_CAP);
        return 0;
      },
      EXTENT,
      [],
      HOST,
    );
    expect(codes.length).toBeGreaterThan(needs.length * 10);
    expect(codes.filter(([, code]) => code !== ERRORS.E_CAP)).toEqual([]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);

test('cap_derive never adds a right, and what it makes has those of its parent at most', () => {
  runRaw(
    function* (raw) {
      const { frame, extent, serial } = yield* resources(raw);
      const readOnly = yield* derive(raw, frame, READ);
      expect(yield* raw.code('cap_derive', ...readOnly, READ_WRITE, 0)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('cap_derive', ...readOnly, WRITE, 0)).toBe(ERRORS.E_CAP);
      expect(yield* derive(raw, readOnly, READ)).toEqual(readOnly);
      const none = yield* derive(raw, readOnly, 0);
      expect(yield* raw.code('frame_free', ...none)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('cap_derive', ...none, READ, 0)).toBe(ERRORS.E_CAP);
      // Bits beyond the eight of rights do not count.
      expect(yield* raw.code('cap_derive', ...none, 0x100, 0)).toBe(0);
      const writeOnly = yield* derive(raw, serial, WRITE);
      expect(yield* raw.code('serial_read', ...writeOnly)).toBe(ERRORS.E_CAP);
      expect(yield* raw.call('serial_write', ...writeOnly, 1, 65)).toMatchObject({ code: 0, value: 1 });
      const page = (yield* raw.frame()).capability;
      const archive = yield* derive(raw, extent, READ);
      expect(yield* raw.code('disk_write', ...archive, ...page, 0, 0)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('disk_read', ...archive, ...page, 0, 0)).toBe(0);
      return 0;
    },
    EXTENT,
    [],
    HOST,
  );
});

function capabilitiesOf(secret: number): Capabilities {
  const memory = new KernelMemory(new Machine().memory);
  return new Capabilities(memory, Uint8Array.of(secret), new Nodes(memory, new Families(memory)));
}

test('a capability of one machine opens nothing on a machine with another secret', () => {
  const [ours, theirs] = [1, 2].map((secret) => {
    const capabilities = capabilitiesOf(secret);
    capabilities.guard('frame', () => 1);
    return capabilities;
  });
  const frame = ours?.make('frame', READ_WRITE, 300) ?? [0, 0, 0, 0];
  expect(ours?.check(frame, 'frame', READ)).toBe(300);
  expect(theirs?.check(frame, 'frame', READ)).toBe(ERRORS.E_CAP);
});

test('a generation counts in full', () => {
  const capabilities = capabilitiesOf(1);
  let generation = 5;
  capabilities.guard('frame', () => generation);
  const old = capabilities.make('frame', READ, 300);
  generation += 0x10000;
  const later = capabilities.make('frame', READ, 300);
  expect(later[0]).toBe(old[0]);
  expect(capabilities.check(old, 'frame', READ)).toBe(ERRORS.E_CAP);
  expect(capabilities.check(later, 'frame', READ)).toBe(300);
});
