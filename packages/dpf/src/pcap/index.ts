/** The pcap filter language, compiled to BPF programs. */
export { compilePcap, type PcapOptions, type PcapProgram } from './compile.ts';
export { linkTypeOf, type LinkType } from './link-types.ts';
export type { Resolver } from './names.ts';
