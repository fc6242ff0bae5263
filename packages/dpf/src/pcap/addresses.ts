/** Numbers and addresses as an expression writes them. What is no such thing gives undefined. */

/** Whether a number fits into an unsigned word. */
export const isWord = (value: number): boolean => value >= 0 && value <= 0xffff_ffff;

/** Decimal, hexadecimal after `0x`, octal after `0`; larger than a word is possible. */
export function numberOf(text: string): number | undefined {
  if (/^0[xX][0-9A-Fa-f]*$/.test(text)) return text.length === 2 ? 0 : Number(text);
  if (/^0[0-7]*$/.test(text)) return parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

/** An IPv4 address of one to four decimal parts, and how many bits they are. The parts are the upper ones. */
export interface Ipv4 {
  readonly address: number;
  readonly bits: number;
}

/** Reads `10.1`, `192.168.1.2`: leading zeros do not make a part octal. */
export function ipv4Of(text: string): Ipv4 | undefined {
  const parts = text.split('.');
  if (parts.length > 4 || parts.some((part) => !/^[0-9]+$/.test(part) || Number(part) > 255)) return undefined;
  const bits = 8 * parts.length;
  const value = parts.reduce((sum, part) => sum * 256 + Number(part), 0);
  return { address: (value * 2 ** (32 - bits)) >>> 0, bits };
}

/** Four words of an IPv6 address. */
export type Ipv6 = readonly [number, number, number, number];

/** Reads an IPv6 address; an IPv4 address may be its end. */
export function ipv6Of(text: string): Ipv6 | undefined {
  const tail = /^(.*:)([0-9.]*\.[0-9.]*)$/.exec(text);
  let whole = text;
  if (tail !== null) {
    const [, head = '', dotted = ''] = tail;
    if (!/^(?:(?:0|[1-9][0-9]{0,2})(?:\.|$)){4}$/.test(dotted) || dotted.endsWith('.')) return undefined;
    const last = ipv4Of(dotted);
    if (last === undefined) return undefined;
    whole = `${head}${(last.address >>> 16).toString(16)}:${(last.address & 0xffff).toString(16)}`;
  }
  const halves = whole.split('::');
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = left.length + right.length;
  if (halves.length > 2 || (halves.length === 2 ? given > 7 : given !== 8)) return undefined;
  const groups = [...left, ...Array.from({ length: 8 - given }, () => '0'), ...right];
  if (groups.some((group) => !/^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  const word = (at: number): number => parseInt(groups[at] ?? '0', 16) * 0x1_0000 + parseInt(groups[at + 1] ?? '0', 16);
  return [word(0), word(2), word(4), word(6)];
}

/** Whether this is an IPv6 address. */
export const isIpv6 = (text: string): boolean => ipv6Of(text) !== undefined;

/** Six bytes of an Ethernet address, as its upper two and its lower four. */
export interface Ethernet {
  readonly upper: number;
  readonly lower: number;
}

/** Reads an Ethernet address: pairs of digits with `:`, `-` or `.` between, three groups of four with `.`, or twelve digits. */
export function ethernetOf(text: string): Ethernet | undefined {
  const groups = text.split(/[:.-]/);
  const digits =
    groups.length === 6
      ? groups.map((group) => group.padStart(2, '0')).join('')
      : groups.length === 3 || groups.length === 1
        ? groups.join('')
        : '';
  if (!/^[0-9A-Fa-f]{12}$/.test(digits)) return undefined;
  return { upper: parseInt(digits.slice(0, 4), 16), lower: parseInt(digits.slice(4), 16) };
}

/** Reads a DECnet address `area.node` as its sixteen bits. */
export function decnetOf(text: string): number | undefined {
  const match = /^([0-9]+)\.([0-9]+)$/.exec(text);
  const [area, node] = [Number(match?.[1]), Number(match?.[2])];
  return match === null || area > 63 || node > 1023 ? undefined : (area << 10) | node;
}
