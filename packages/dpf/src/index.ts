/** DPF: packet filters, merged into one trie and compiled. */
export { ATOM_LIMITS, matches, normalize, type Atom, type FieldSize, type NormalAtom, type TestAtom } from './atoms.ts';
export { FilterSet, type FilterSetOptions, type OverlapPolicy } from './filter-set.ts';
export { Classifier, compileFilters, type ClassifierOptions } from './host.ts';
export { decodeFilter, encodeFilter } from './encoding.ts';
export { arp, etherType, icmpEcho, ipv4, tcp, udp, type Endpoints, type Ipv4 } from './protocols.ts';
export { demandedBits } from './overlap.ts';
export type { Pieces, Weigh } from './weight.ts';
export { DpfError, type DpfErrorCode } from './error.ts';
