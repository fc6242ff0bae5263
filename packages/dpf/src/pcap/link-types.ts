/**
 * The link types that expressions are compiled for, and the layer that a test reads: which header it looks at, and where. An
 * encapsulation (`vlan`, `mpls`, `pppoes`, `geneve`, `vxlan`) moves what follows it in the expression to another layer.
 */

/** A link type, by its name in libpcap without `DLT_`. */
export type LinkType = 'EN10MB' | 'RAW' | 'IPV4' | 'IPV6' | 'NULL' | 'LOOP' | 'LINUX_SLL' | 'LINUX_SLL2';

/** A place in the packet: a constant, and a word of memory that is added to it. */
export interface Place {
  readonly constant: number;
  readonly register: number | null;
}

/** Where the tests of a layer look. */
export interface Layer {
  /** `PPP` is the layer inside PPPoE. */
  readonly linkType: LinkType | 'PPP';
  /** Where the link header begins. */
  readonly header: Place;
  /** Where the link header says what it carries. */
  readonly type: Place;
  /** Where what it carries begins. */
  readonly payload: Place;
  /** From there to the network header: the length of the MPLS labels. */
  readonly network: number;
  /** From there to the header of ISO protocols, which follows three bytes of LLC on Ethernet. */
  readonly iso: number;
  /** How many MPLS labels the expression has asked for. */
  readonly labels: number;
  /** How many VLAN tags the expression has asked for. */
  readonly tags: number;
  /** Whether the packet may have no link header here: inside a tunnel. */
  readonly isTunnel: boolean;
}

interface Numbers {
  /** The number in capture files. */
  readonly number: number;
  readonly type: number;
  readonly payload: number;
  readonly iso: number;
}

/** The link types, by name. */
export const LINK_TYPES: Readonly<Record<LinkType, Numbers>> = {
  EN10MB: { number: 1, type: 12, payload: 14, iso: 3 },
  RAW: { number: 101, type: 0, payload: 0, iso: 0 },
  IPV4: { number: 228, type: 0, payload: 0, iso: 0 },
  IPV6: { number: 229, type: 0, payload: 0, iso: 0 },
  NULL: { number: 0, type: 0, payload: 4, iso: 0 },
  LOOP: { number: 108, type: 0, payload: 4, iso: 0 },
  LINUX_SLL: { number: 113, type: 14, payload: 16, iso: 0 },
  LINUX_SLL2: { number: 276, type: 0, payload: 20, iso: 0 },
};

/** The link type with this number in a capture file, if expressions can be compiled for it. */
export function linkTypeOf(number: number): LinkType | undefined {
  const found = Object.entries(LINK_TYPES).find(([, numbers]) => numbers.number === number);
  return found?.[0] as LinkType | undefined;
}

const at = (constant: number): Place => ({ constant, register: null });

/** The layer that an expression begins with. */
export function outermost(linkType: LinkType): Layer {
  const { type, payload, iso } = LINK_TYPES[linkType];
  return {
    linkType,
    header: at(0),
    type: at(type),
    payload: at(payload),
    network: 0,
    iso,
    labels: 0,
    tags: 0,
    isTunnel: false,
  };
}
