/** The compiler of pcap expressions. */
import { DpfError } from '../error.ts';
import { BPF, BPF_MAX_INSTRUCTIONS, type BpfInstruction } from '../bpf/instruction.ts';
import { ipv4Of } from './addresses.ts';
import { assemble, type Test } from './blocks.ts';
import { generate } from './generate.ts';
import { Generator, statement } from './generator.ts';
import { LINK_TYPES, type LinkType } from './link-types.ts';
import { Names, type Resolver } from './names.ts';
import { parse } from './parser.ts';
import { refuse } from './refusal.ts';

/** What an expression is compiled for. */
export interface PcapOptions {
  /** The link type of the packets. */
  readonly linkType: LinkType;
  /** What the program returns for a packet that it accepts: from 1 to 2^32 - 1, 262,144 unless given. */
  readonly snapLength?: number;
  /** The mask of the local IPv4 network, such as `255.255.255.0`: `ip broadcast` needs it. */
  readonly netmask?: string;
  /**
   * What an encapsulation (`vlan`, `mpls`, `pppoes`, `geneve`, `vxlan`) inside parentheses does to what follows them. `leaking`, as in
   * libpcap: it looks inside the encapsulation too. `lexical`: it looks where it would without the parentheses.
   */
  readonly scope?: 'leaking' | 'lexical';
  /** Gives meaning to names. */
  readonly resolver?: Resolver;
  /** How many extension headers `protochain` looks behind, 128 unless given, at most 1,000. Each costs up to 27 instructions. */
  readonly protochainHeaders?: number;
  /** Refuse an expression that no packet can match whatever is in it, such as `arp` on IPv4. libpcap refuses it when it optimizes. */
  readonly refuseEmpty?: boolean;
  /** The program runs on a socket of Linux: `vlan`, `inbound`, `outbound` and `ifindex` read what Linux knows beside the packet. */
  readonly linuxExtensions?: boolean;
  /** How many instructions the program may have at most, 131,072 unless given, up to 1,048,576. */
  readonly maxInstructions?: number;
}

/** A compiled expression. */
export interface PcapProgram {
  /** The program: it returns `snapLength` for a packet that matches, else 0. `validateBpf` takes it. */
  readonly program: readonly BpfInstruction[];
  readonly linkType: LinkType;
  readonly snapLength: number;
  /** Whether every packet matches, or none; null where that depends on the packet. */
  readonly constant: boolean | null;
}

const DEFAULT_SNAP_LENGTH = 262_144;
const DEFAULT_HEADERS = 128;
const MOST_HEADERS = 1000;
const DEFAULT_INSTRUCTIONS = 131_072;

function inRange(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new DpfError('range', `The option ${name} is a whole number from ${least} to ${most}, not ${value}.`, {
      value,
    });
  return value;
}

function netmaskOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const mask = ipv4Of(text);
  if (mask?.bits !== 32)
    throw new DpfError('range', `The option netmask is four numbers such as 255.255.255.0, not "${text}".`, { text });
  // libpcap takes the mask of a single address for an unknown one.
  return mask.address === 0xffff_ffff ? null : mask.address;
}

/** Words of memory that a test expects to be 0 are set so before it. */
function clear(g: Generator, test: Test): void {
  if (g.cleared.size === 0) return;
  const stores = [...g.cleared].map((register) => statement(BPF.ST, register));
  test.entry.statements.unshift(statement(BPF.LD_IMM, 0), ...stores);
}

/**
 * Compiles an expression of the pcap filter language, as of libpcap 1.11, to a BPF program with the meaning of the one that libpcap
 * makes without optimizing. The empty expression accepts every packet.
 *
 * Throws `DpfError`: `syntax`, `name`, `unsupported`, `range` and `limit`, with the column in `details`. An expression has at most
 * 1,048,576 characters and 500 levels of parentheses.
 */
export function compilePcap(expression: string, options: PcapOptions): PcapProgram {
  const { linkType } = options;
  if (!Object.hasOwn(LINK_TYPES, linkType))
    throw new DpfError('unsupported', `There is no link type ${linkType}: ${Object.keys(LINK_TYPES).join(', ')}.`, {
      linkType,
    });
  const snapLength = inRange('snapLength', options.snapLength ?? DEFAULT_SNAP_LENGTH, 1, 0xffff_ffff);
  const mostInstructions = inRange(
    'maxInstructions',
    options.maxInstructions ?? DEFAULT_INSTRUCTIONS,
    1,
    BPF_MAX_INSTRUCTIONS,
  );
  const g = new Generator({
    linkType,
    netmask: netmaskOf(options.netmask),
    linuxExtensions: options.linuxExtensions ?? false,
    protochainHeaders: inRange('protochainHeaders', options.protochainHeaders ?? DEFAULT_HEADERS, 0, MOST_HEADERS),
    names: new Names(options.resolver ?? {}),
    mostInstructions,
  });
  const tree = parse(expression);
  if (tree === null)
    return { program: [{ code: BPF.RET_K, jt: 0, jf: 0, k: snapLength }], linkType, snapLength, constant: true };
  const test = generate(g, tree, options.scope === 'lexical');
  if (test.constant === false && options.refuseEmpty === true)
    refuse('unsupported', { column: 1, text: expression }, `no packet of link type ${linkType} matches this`);
  clear(g, test);
  const program = assemble(test, snapLength);
  if (program.length > mostInstructions) g.tooLong();
  return { program, linkType, snapLength, constant: test.constant };
}
