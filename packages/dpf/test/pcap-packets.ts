/** Packets for the tests of the pcap language: of every protocol that it knows, mutated, cut, and steered along a program's branches. */
import { BPF, type BpfInstruction } from '../src/bpf/index.ts';
import type { LinkType } from '../src/pcap/index.ts';

/** Numbers from 0 to 1 that a seed determines. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number below a bound. */
export const below = (random: () => number, bound: number): number => Math.floor(random() * bound);
/** One of these. */
export const pick = <T>(random: () => number, values: readonly T[]): T => values[below(random, values.length)]!;

type Bytes = readonly number[];
const u16 = (value: number): Bytes => [(value >>> 8) & 255, value & 255];
const u32 = (value: number): Bytes => [...u16(value >>> 16), ...u16(value)];
const text = (hex: string): Bytes => (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
const some = (random: () => number, length: number): Bytes => Array.from({ length }, () => below(random, 256));

const HOSTS = [
  'c0000214',
  '01020304',
  'ac11591e',
  'c0a80001',
  '0a000105',
  'ac100203',
  '0a0a0a0a',
  '00000000',
  'ffffffff',
  'e0000001',
];
const HOSTS6 = [
  '20010db8101112131415161718191a1b',
  'fe80000000000000112233fffe445566',
  'ff112233445566778899000000000001',
  'ff020000000000000000000000000012',
  '00100000000000000000000000000001',
];
const PORTS = [25, 53, 67, 68, 80, 443, 7, 5672, 1, 1023, 6081, 4789, 40_000];
const STATIONS = ['abcdef000001', 'ffffffffffff', '010203040506', '0180c2000000', '333300000001'];

function transport(random: () => number, protocol: number, ports?: readonly [number, number]): Bytes {
  const [source, destination] = ports ?? [pick(random, PORTS), pick(random, PORTS)];
  if (protocol === 6)
    return [...u16(source), ...u16(destination), ...some(random, 8), 0x50, below(random, 256), ...some(random, 12)];
  if (protocol === 17 || protocol === 132) return [...u16(source), ...u16(destination), ...some(random, 12)];
  return some(random, 24);
}

const PROTOCOLS = [6, 17, 132, 1, 2, 9, 50, 103, 112, 4, 108];

function ipv4(random: () => number, inner?: { readonly protocol: number; readonly payload: Bytes }): Bytes {
  const protocol = inner?.protocol ?? pick(random, PROTOCOLS);
  const words = random() < 0.7 ? 5 : 5 + below(random, 4);
  const fragment = random() < 0.7 ? 0 : pick(random, [0x2000, 0x4000, 0x00b9, 0x20b9]);
  const ends = [...text(pick(random, HOSTS)), ...text(pick(random, HOSTS))];
  let payload = inner?.payload ?? transport(random, protocol);
  let next = protocol;
  if (inner === undefined && random() < 0.2) {
    payload = [protocol, 1 + below(random, 6), ...some(random, 22), ...payload];
    next = 51;
  }
  const options = some(random, 4 * (words - 5));
  const length = u16(4 * words + payload.length);
  return [
    0x40 | words,
    0,
    ...length,
    ...some(random, 2),
    ...u16(fragment),
    64,
    next,
    0,
    0,
    ...ends,
    ...options,
    ...payload,
  ];
}

function ipv6(random: () => number, inner?: { readonly protocol: number; readonly payload: Bytes }): Bytes {
  const protocol = inner?.protocol ?? pick(random, [...PROTOCOLS, 58]);
  let payload = inner?.payload ?? transport(random, protocol);
  let next = protocol;
  for (let left = inner === undefined && random() < 0.4 ? 1 + below(random, 3) : 0; left > 0; left -= 1) {
    const kind = pick(random, [0, 60, 43, 44, 44, 51]);
    const eights = kind === 44 ? 0 : below(random, 2);
    payload = [next, eights, ...some(random, 6 + 8 * eights), ...payload];
    next = kind;
  }
  const ends = [...text(pick(random, HOSTS6)), ...text(pick(random, HOSTS6))];
  return [0x60, 0, 0, 0, ...u16(payload.length), next, 64, ...ends, ...payload];
}

const anyIp = (random: () => number): readonly [type: number, bytes: Bytes] =>
  random() < 0.5 ? [0x0800, ipv4(random)] : [0x86dd, ipv6(random)];

function arp(random: () => number): Bytes {
  const sender = [...text(pick(random, STATIONS)), ...text(pick(random, HOSTS))];
  const target = [...text(pick(random, STATIONS)), ...text(pick(random, HOSTS))];
  return [0, 1, 8, 0, 6, 4, 0, 1 + below(random, 4), ...sender, ...target];
}

function decnet(random: () => number): Bytes {
  const address = (): Bytes =>
    pick(random, [
      [0x01, 0x04],
      [0xff, 0xff],
      [below(random, 256), below(random, 256)],
    ]);
  const padding = random() < 0.5 ? [0x81] : [];
  const body =
    random() < 0.5
      ? [0x06, 0, 0, 0xaa, 0, 4, 0, ...address(), 0, 0, 0xaa, 0, 4, 0, ...address(), 0, 0, 0]
      : [0x02, ...address(), ...address(), 0];
  return [...u16(body.length + padding.length), ...padding, ...body, ...some(random, 8)];
}

/** What follows a length in place of an Ethernet type. */
function llc(random: () => number): Bytes {
  const control = pick(random, [0x00, 0x02, 0x01, 0x05, 0x09, 0x03, 0x63, 0x43, 0x0f, 0x6f, 0xe3, 0xaf, 0x87, 0x97]);
  switch (below(random, 7)) {
    case 0:
      return [
        0xfe,
        0xfe,
        3,
        pick(random, [0x81, 0x82, 0x83]),
        27,
        1,
        0,
        pick(random, [15, 16, 17, 18, 20, 24, 25, 26, 27]),
        ...some(random, 8),
      ];
    case 1:
      return [0x42, 0x42, 3, ...some(random, 30)];
    case 2:
      return [0xe0, 0xe0, control, ...some(random, 12)];
    case 3:
      return [0xff, 0xff, ...some(random, 12)];
    case 4:
      return [0xf0, 0xf0, control, ...some(random, 12)];
    case 5:
      return [
        0xaa,
        0xaa,
        3,
        ...pick(random, [
          [0, 0, 0, 0x81, 0x37],
          [8, 0, 7, 0x80, 0x9b],
          [0, 0, 0, 0x80, 0xf3],
        ]),
        ...some(random, 12),
      ];
    default:
      return [below(random, 256), below(random, 256), control, ...some(random, 12)];
  }
}

function mpls(random: () => number): Bytes {
  const labels: number[] = [];
  const count = 1 + below(random, 3);
  for (let at = 0; at < count; at += 1)
    labels.push(...u32(pick(random, [123, 1024, 16, 0xfffff]) * 4096 + (at === count - 1 ? 0x100 : 0) + 64));
  return [...labels, ...anyIp(random)[1]];
}

function pppoe(random: () => number): Bytes {
  const [type, bytes] = anyIp(random);
  const carried =
    random() < 0.2 ? ([0x0281, mpls(random)] as const) : ([type === 0x0800 ? 0x21 : 0x57, bytes] as const);
  const ppp = random() < 0.2 ? pick(random, [0x23, 0x27, 0x29, 0x2b, 0x31]) : carried[0];
  return [0x11, 0, ...u16(pick(random, [0x3b, 1, 65_535])), ...u16(carried[1].length + 2), ...u16(ppp), ...carried[1]];
}

function tunnel(random: () => number, depth: number): readonly [type: number, bytes: Bytes] {
  const network = pick(random, [10, 11, 5, 0xffffff]);
  const isEthernet = random() < 0.6;
  const [type, inner] = isEthernet ? [0x6558, ethernet(random, depth + 1)] : anyIp(random);
  const options = random() < 0.5 ? 0 : below(random, 4);
  const geneve = [options, 0, ...u16(type), ...u32(network * 256), ...some(random, 4 * options), ...inner];
  const vxlan = [8, 0, 0, 0, ...u32(network * 256), ...ethernet(random, depth + 1)];
  const isGeneve = random() < 0.5;
  const payload = [...u16(40_000), ...u16(isGeneve ? 6081 : 4789), ...some(random, 4), ...(isGeneve ? geneve : vxlan)];
  return random() < 0.5
    ? [0x0800, ipv4(random, { protocol: 17, payload })]
    : [0x86dd, ipv6(random, { protocol: 17, payload })];
}

/** An Ethernet type, and what may stand behind it. */
function carried(random: () => number, depth: number): readonly [type: number, bytes: Bytes] {
  switch (below(random, 12)) {
    case 0:
      return [0x0806, arp(random)];
    case 1:
      return [0x8035, arp(random)];
    case 2:
    case 3: {
      const [type, bytes] = depth > 2 ? anyIp(random) : carried(random, depth + 1);
      const tag = pick(random, [5, 6, 10, 8, 4095, 0x2005]);
      return [pick(random, [0x8100, 0x88a8, 0x9100]), [...u16(tag), ...u16(type), ...bytes]];
    }
    case 4:
      return [0x8847, mpls(random)];
    case 5:
      return [pick(random, [0x8864, 0x8864, 0x8863]), pppoe(random)];
    case 6:
    case 7:
      return depth > 1 ? anyIp(random) : tunnel(random, depth);
    case 8: {
      const frame = llc(random);
      return [frame.length, frame];
    }
    case 9:
      return random() < 0.5
        ? [0x6003, decnet(random)]
        : [
            pick(random, [0x809b, 0x80f3, 0x6001, 0x6002, 0x6004, 0x6007, 0x8137, 0x88cc, 0x9000, 0x8809]),
            some(random, 40),
          ];
    default:
      return anyIp(random);
  }
}

function ethernet(random: () => number, depth = 0): Bytes {
  const [type, bytes] = carried(random, depth);
  return [...text(pick(random, STATIONS)), ...text(pick(random, STATIONS)), ...u16(type), ...bytes];
}

/** A packet of the link type, as the protocols would make it. */
export function plainPacket(random: () => number, linkType: LinkType): Uint8Array {
  const [type, bytes] =
    linkType === 'EN10MB'
      ? [0, []]
      : random() < 0.2
        ? carried(random, 0)
        : random() < 0.3
          ? tunnel(random, 0)
          : anyIp(random);
  switch (linkType) {
    case 'EN10MB':
      return Uint8Array.from(ethernet(random));
    case 'LINUX_SLL': {
      const protocol = type <= 1500 ? pick(random, [1, 4]) : type;
      return Uint8Array.from([0, below(random, 5), 0, 1, 0, 6, ...some(random, 8), ...u16(protocol), ...bytes]);
    }
    case 'LINUX_SLL2':
      return Uint8Array.from([
        ...u16(type),
        0,
        0,
        0,
        0,
        0,
        below(random, 4),
        0,
        1,
        below(random, 5),
        6,
        ...some(random, 8),
        ...bytes,
      ]);
    case 'NULL':
    case 'LOOP': {
      const family = type === 0x86dd ? pick(random, [24, 28, 30]) : type === 0x0800 ? 2 : below(random, 40);
      const word = linkType === 'NULL' && random() < 0.5 ? [family, 0, 0, 0] : u32(family);
      return Uint8Array.from([...word, ...bytes]);
    }
    default:
      return Uint8Array.from(bytes);
  }
}

/** Changes a few bytes, or cuts the packet, or leaves it. */
function disturb(random: () => number, packet: Uint8Array): Uint8Array {
  const changed = packet.slice();
  if (random() < 0.4)
    for (let left = 1 + below(random, 3); left > 0 && changed.length > 0; left -= 1)
      changed[below(random, Math.min(changed.length, 80))] =
        random() < 0.5 ? below(random, 256) : pick(random, [0, 1, 255]);
  return random() < 0.3 ? changed.slice(0, below(random, changed.length + 1)) : changed;
}

/** Where a value was loaded from, and through which mask it went. */
interface Source {
  readonly at: number;
  readonly size: number;
  readonly mask: number;
}

/**
 * Runs a program as `runBpf` does, but at many comparisons changes the packet first, so that the branch goes the other way: packets
 * that reach the depths of a program.
 */
function steer(
  random: () => number,
  program: readonly BpfInstruction[],
  original: Uint8Array,
  willing: number,
): Uint8Array {
  const packet = original.slice();
  const memory = Array.from({ length: 16 }, () => ({ value: 0, source: null as Source | null }));
  let [a, x] = [0, 0];
  let source = null as Source | null;
  const read = (at: number, size: number): number => {
    let value = 0;
    for (let offset = 0; offset < size; offset += 1) value = value * 256 + (packet[at + offset] ?? 0);
    return value;
  };
  const write = ({ at, size, mask }: Source, wanted: number): void => {
    const value = ((read(at, size) & ~mask) | (wanted & mask)) >>> 0;
    for (let offset = 0; offset < size; offset += 1) packet[at + offset] = (value >>> (8 * (size - 1 - offset))) & 255;
    a = (value & mask) >>> 0;
  };
  const load = (at: number, size: number): boolean => {
    if (at + size > packet.length) return false;
    a = read(at, size);
    source = { at, size, mask: 0xffff_ffff };
    return true;
  };
  for (let pc = 0, steps = 0; steps < 5000; pc += 1, steps += 1) {
    const instruction = program[pc];
    if (instruction === undefined) return packet;
    const { code, jt, jf, k } = instruction;
    const right = (code & 8) !== 0 ? x : k;
    switch (code) {
      case BPF.LD_ABS:
      case BPF.LDH_ABS:
      case BPF.LDB_ABS:
      case BPF.LD_IND:
      case BPF.LDH_IND:
      case BPF.LDB_IND: {
        const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 8 ? 2 : 1;
        if (!load((code & 0xe0) === 0x40 ? x + k : k, size)) return packet;
        break;
      }
      case BPF.LDX_MSH:
        if (k >= packet.length) return packet;
        x = ((packet[k] ?? 0) & 15) * 4;
        break;
      case BPF.LD_IMM:
        [a, source] = [k, null];
        break;
      case BPF.LDX_IMM:
        x = k;
        break;
      case BPF.LD_LEN:
        [a, source] = [packet.length, null];
        break;
      case BPF.LD_MEM:
        ({ value: a, source } = memory[k]!);
        break;
      case BPF.LDX_MEM:
        x = memory[k]!.value;
        break;
      case BPF.ST:
        memory[k] = { value: a, source };
        break;
      case BPF.STX:
        memory[k] = { value: x, source: null };
        break;
      case BPF.TAX:
        x = a;
        break;
      case BPF.TXA:
        [a, source] = [x, null];
        break;
      case BPF.JA:
        pc += k | 0;
        break;
      case BPF.RET_K:
      case BPF.RET_A:
        return packet;
      case BPF.AND_K:
      case BPF.AND_X:
        a = (a & right) >>> 0;
        if (source !== null) source = { ...source, mask: (source.mask & right) >>> 0 };
        break;
      case BPF.JEQ_K:
      case BPF.JEQ_X:
        if (source !== null && random() < willing) write(source, right);
        pc += a === right ? jt : jf;
        break;
      case BPF.JGT_K:
      case BPF.JGT_X:
      case BPF.JGE_K:
      case BPF.JGE_X:
        if (source !== null && random() < willing / 2) write(source, right + below(random, 3) - 1);
        pc += ((code & 0xf0) === 0x20 ? a > right : a >= right) ? jt : jf;
        break;
      case BPF.JSET_K:
      case BPF.JSET_X:
        if (source !== null && random() < willing / 2) write(source, random() < 0.5 ? 0 : right);
        pc += (a & right) !== 0 ? jt : jf;
        break;
      default: {
        source = null;
        const operation = code & 0xf0;
        if ((operation === 0x30 || operation === 0x90) && right === 0) return packet;
        a = calculate(operation, a, right);
      }
    }
  }
  return packet;
}

function calculate(operation: number, a: number, right: number): number {
  switch (operation) {
    case 0x00:
      return (a + right) >>> 0;
    case 0x10:
      return (a - right) >>> 0;
    case 0x20:
      return Math.imul(a, right) >>> 0;
    case 0x30:
      return Math.floor(a / right);
    case 0x40:
      return (a | right) >>> 0;
    case 0x60:
      return right > 31 ? 0 : (a << right) >>> 0;
    case 0x70:
      return right > 31 ? 0 : a >>> right;
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return a % right;
    default:
      return (a ^ right) >>> 0;
  }
}

/** Packets for a program: plain ones, disturbed ones, some steered through it. */
export function packetsFor(
  random: () => number,
  linkType: LinkType,
  program: readonly BpfInstruction[],
  count: number,
  captured: readonly Uint8Array[] = [],
): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const isCaptured = captured.length > 0 && random() < 0.2;
    const base = isCaptured ? pick(random, captured) : plainPacket(random, linkType);
    const roll = random();
    if (roll < 0.1) return Uint8Array.from(some(random, below(random, 100)));
    if (roll < 0.5) return disturb(random, base);
    const steered = steer(random, program, base, pick(random, [0.3, 0.6, 0.9, 1]));
    return random() < 0.2 ? disturb(random, steered) : steered;
  });
}
