/**
 * `vlan`, `mpls`, `pppoes`, `geneve`, `vxlan`: tests that also move the rest of the expression to the layer inside.
 *
 * The layer changes by the order of words in the expression, not by what a packet takes: `vlan or ip` looks for IPv4 behind a tag.
 */
import { BPF, BPF_ANCILLARY } from '../bpf/instruction.ts';
import { and, not, or, type Statement, type Test } from './blocks.ts';
import { IPV6_HEADER, statement, type Generator } from './generator.ts';
import { carries, ETHER, isLastLabel } from './link-tests.ts';
import { udpDestination } from './ports.ts';
import type { Token } from './tokens.ts';

const TAG_BYTES = 4;
const MOST_TAG = 0xfff;
/** What Linux knows of the tag that a network card took out. */
const TAG_IS_PRESENT = BPF_ANCILLARY + 48;
const TAG = BPF_ANCILLARY + 44;

function hasTag(g: Generator): Test {
  const inner = or(carries(g, ETHER.VLAN), carries(g, ETHER.VLAN_PROVIDER));
  return or(inner, carries(g, ETHER.VLAN_QINQ));
}

function isTag(g: Generator, { value }: Token): Test {
  g.atMostOrRefuse('VLAN', value, MOST_TAG);
  return g.masked('network', 0, 2, value, MOST_TAG);
}

/** A VLAN tag in the packet: the layer moves by its four bytes. */
function tagInPacket(g: Generator, tag: Token | null): Test {
  const has = hasTag(g);
  const test = tag === null ? has : and(has, isTag(g, tag));
  const { payload, type } = g.layer;
  g.layer = {
    ...g.layer,
    payload: { ...payload, constant: payload.constant + TAG_BYTES },
    type: { ...type, constant: type.constant + TAG_BYTES },
  };
  return test;
}

/** A VLAN tag that Linux may have taken out of the packet: whether the layer moves is known only when the packet is there. */
function tagBesidePacket(g: Generator, tag: Token | null): Test {
  const isOut = g.blocks.test([statement(BPF.LDB_ABS, TAG_IS_PRESENT)], statement(BPF.JEQ_K, 1));
  const has = hasTag(g);
  const isWanted = tag === null ? null : isTag(g, tag);
  const moved = (register: number): Statement[] => [
    statement(BPF.LD_MEM, register),
    statement(BPF.ADD_K, TAG_BYTES),
    statement(BPF.ST, register),
  ];
  const payload = g.layer.payload.register ?? g.allocate();
  const type = g.layer.type.register ?? g.allocate();
  g.cleared.add(payload).add(type);
  g.layer = {
    ...g.layer,
    payload: { ...g.layer.payload, register: payload },
    type: { ...g.layer.type, register: type },
  };
  has.entry.statements.unshift(...moved(payload), ...moved(type));
  const found = or(isOut, has);
  if (isWanted === null) return found;
  // The tag's number comes from beside the packet or from its bytes, and is compared by the same block.
  const { entry } = isWanted;
  const load = entry.statements.slice(0, -1);
  const compare = g.blocks.test(entry.statements.slice(-1), entry.compare);
  const choice = g.blocks.test([statement(BPF.LDB_ABS, TAG_IS_PRESENT)], statement(BPF.JEQ_K, 1));
  const outside = g.blocks.block([statement(BPF.LDH_ABS, TAG)], null);
  const inside = g.blocks.block(load, null);
  choice.yes.lead(outside);
  choice.no.lead(inside);
  outside.yes.lead(compare.entry);
  inside.yes.lead(compare.entry);
  return and(found, { ...compare, entry: choice.entry });
}

/** `vlan`, with a number or without. */
export function vlan(g: Generator, tag: Token | null): Test {
  const { labels, linkType, tags, header } = g.layer;
  if (labels > 0) g.unsupported('"vlan" inside MPLS');
  if (linkType !== 'EN10MB') g.unsupported('"vlan"');
  const isOutermost = tags === 0 && header.register === null && header.constant === 0;
  const test = g.options.linuxExtensions && isOutermost ? tagBesidePacket(g, tag) : tagInPacket(g, tag);
  g.layer = { ...g.layer, tags: tags + 1 };
  return test;
}

const LABEL_BYTES = 4;
const LABEL_SHIFT = 12;
const MOST_LABEL = 0xf_ffff;
const PPP_MPLS = 0x0281;

/** `mpls`, with a label or without: the network header moves by one entry of the label stack. */
export function mpls(g: Generator, label: Token | null): Test {
  const { labels, linkType, network, iso } = g.layer;
  let test: Test;
  if (labels > 0) test = not(isLastLabel(g));
  else if (linkType === 'EN10MB') test = carries(g, ETHER.MPLS);
  else if (linkType === 'PPP') test = carries(g, PPP_MPLS);
  else return g.unsupported('"mpls"');
  if (label !== null) {
    g.atMostOrRefuse('MPLS label', label.value, MOST_LABEL);
    const [wanted, mask] = [label.value * 2 ** LABEL_SHIFT, MOST_LABEL * 2 ** LABEL_SHIFT];
    test = and(test, g.masked('network', 0, 4, wanted, mask));
  }
  g.layer = { ...g.layer, labels: labels + 1, network: network + LABEL_BYTES, iso: iso + LABEL_BYTES };
  return test;
}

const PPPOE_BYTES = 6;

/** `pppoed`: PPPoE's discovery. */
export const pppoeDiscovery = (g: Generator): Test => carries(g, ETHER.PPPOE_DISCOVERY);

/** `pppoes`, with a session or without: what follows is PPP. */
export function pppoeSession(g: Generator, session: Token | null): Test {
  let test = carries(g, ETHER.PPPOE_SESSION);
  if (session !== null) {
    g.atMostOrRefuse('PPPoE session', session.value, 0xffff);
    test = and(test, g.equal('network', 2, 2, session.value));
  }
  const { payload, network } = g.layer;
  const header = { ...payload, constant: payload.constant + network + PPPOE_BYTES };
  g.layer = {
    ...g.layer,
    linkType: 'PPP',
    header,
    type: header,
    payload: { ...payload, constant: header.constant + 2 },
    network: 0,
    iso: 0,
    isTunnel: false,
  };
  return test;
}

const UDP_BYTES = 8;
const MOST_NETWORK = 0xff_ffff;
const ETHERNET_TYPE = 12;

interface Tunnel {
  readonly name: string;
  readonly port: number;
  /** The first byte of the tunnel's header. */
  readonly first: number;
  readonly firstMask: number;
  /** Moves the layer inside: A is the length of the headers before UDP, with their variable part. */
  readonly enter: (g: Generator) => Test;
}

/** The tunnel over one version of IP, which leaves in A what `enter` expects. */
function tunnelOver(
  g: Generator,
  version: 4 | 6,
  { name, port, first, firstMask }: Tunnel,
  network: Token | null,
): Test {
  const base = version === 4 ? 'transport4' : 'transport6';
  let test = and(udpDestination(g, version, port), g.masked(base, UDP_BYTES, 1, first, firstMask));
  if (network !== null) {
    g.atMostOrRefuse(`${name} network`, network.value, MOST_NETWORK);
    test = and(test, g.masked(base, UDP_BYTES + 4, 4, network.value * 0x100, 0xffff_ff00));
  }
  const { payload } = g.layer;
  const length =
    version === 4
      ? [...g.ipv4HeaderLength(), statement(BPF.TXA)]
      : payload.register === null
        ? [statement(BPF.LD_IMM, IPV6_HEADER), statement(BPF.TAX)]
        : [...g.variable(payload), statement(BPF.LD_IMM, IPV6_HEADER), statement(BPF.ADD_X), statement(BPF.TAX)];
  return and(test, g.blocks.test(length, statement(BPF.JEQ_X)));
}

function tunnel(g: Generator, kind: Tunnel, network: Token | null): Test {
  const over = or(tunnelOver(g, 4, kind, network), tunnelOver(g, 6, kind, network));
  return and(over, kind.enter(g));
}

/** The layer inside a tunnel: an Ethernet frame, or in Geneve a packet without a link header. */
function enterTunnel(g: Generator, header: number, type: number, payload: number): void {
  const at = (register: number): { readonly constant: number; readonly register: number } => ({
    constant: 0,
    register,
  });
  g.layer = {
    ...g.layer,
    linkType: 'EN10MB',
    header: at(header),
    type: at(type),
    payload: at(payload),
    network: 0,
    isTunnel: true,
  };
}

function enterGeneve(g: Generator): Test {
  const [type, header, payload] = [g.allocate(), g.allocate(), g.allocate()];
  // The type is that of Geneve's own header, and the payload begins where the link header would, unless that type is Ethernet.
  const start = g.blocks.block(
    [
      statement(BPF.ADD_K, g.networkConstant + UDP_BYTES),
      statement(BPF.TAX),
      statement(BPF.ADD_K, 2),
      statement(BPF.ST, type),
      statement(BPF.LDB_IND, 0),
      statement(BPF.AND_K, 0x3f),
      statement(BPF.MUL_K, 4),
      statement(BPF.ADD_K, 8),
      statement(BPF.ADD_X),
      statement(BPF.ST, header),
      statement(BPF.LDH_IND, 2),
      statement(BPF.LDX_MEM, header),
    ],
    statement(BPF.JEQ_K, ETHER.TEB),
  );
  const ethernet = g.blocks.block(
    [
      statement(BPF.TXA),
      statement(BPF.ADD_K, ETHERNET_TYPE),
      statement(BPF.ST, type),
      statement(BPF.ADD_K, 2),
      statement(BPF.TAX),
    ],
    null,
  );
  const end = always(g, [statement(BPF.STX, payload)]);
  start.yes.lead(ethernet);
  ethernet.yes.lead(end.entry);
  start.no.lead(end.entry);
  enterTunnel(g, header, type, payload);
  return { ...end, entry: start };
}

function enterVxlan(g: Generator): Test {
  const [header, type, payload] = [g.allocate(), g.allocate(), g.allocate()];
  const end = always(g, [
    statement(BPF.ADD_K, g.networkConstant + UDP_BYTES),
    statement(BPF.ADD_K, 8),
    statement(BPF.ST, header),
    statement(BPF.ADD_K, ETHERNET_TYPE),
    statement(BPF.ST, type),
    statement(BPF.ADD_K, 2),
    statement(BPF.TAX),
    statement(BPF.STX, payload),
  ]);
  enterTunnel(g, header, type, payload);
  return end;
}

/** A test that is true but must be made, for what it stores. */
const always = (g: Generator, statements: Statement[]): Test =>
  g.blocks.test([...statements, statement(BPF.LD_IMM, 0)], statement(BPF.JEQ_K, 0));

const GENEVE: Tunnel = { name: 'Geneve', port: 6081, first: 0, firstMask: 0xc0, enter: enterGeneve };
const VXLAN: Tunnel = { name: 'VXLAN', port: 4789, first: 0x08, firstMask: 0xffff_ffff, enter: enterVxlan };

/** `geneve`, with a network or without. */
export const geneve = (g: Generator, network: Token | null): Test => tunnel(g, GENEVE, network);
/** `vxlan`, with a network or without. */
export const vxlan = (g: Generator, network: Token | null): Test => tunnel(g, VXLAN, network);
