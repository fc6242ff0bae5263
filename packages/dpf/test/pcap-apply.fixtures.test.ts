/** Expressions of libpcap's own tables on its captures: the result for every packet, for the link types that are compiled for. */
import { expect, test } from 'vitest';
import { runBpf } from '../src/bpf/index.ts';
import { compilePcap } from '../src/pcap/index.ts';
import { capture, cases, HAS_FIXTURES } from './pcap-fixtures.ts';

interface Applied {
  readonly name: string;
  readonly expression: string;
  readonly capture: string;
  readonly results: readonly number[];
}

const applied = await Promise.all(
  (cases('apply.json') as readonly Applied[]).map(async (one) => ({ ...one, file: await capture(one.capture) })),
);
const ours = applied.flatMap(({ file: { linkType, ...file }, ...one }) =>
  linkType === undefined ? [] : [{ ...one, linkType, ...file }],
);

test.runIf(!HAS_FIXTURES)('skipped: there are no fixtures for the pcap language', (context) => {
  context.skip();
});

test.runIf(HAS_FIXTURES)('captures of other link types are the only ones that are left out', () => {
  const others = applied.filter(({ file }) => file.linkType === undefined).map((one) => one.capture);
  expect([...new Set(others)].sort()).toMatchInlineSnapshot(`
    [
      "ISIS_p2p_adjacency.pcap",
      "Network_Join_Nokia_Mobile.pcap",
      "arcnet-rfc1051-arp-icmp-http.pcap",
      "arcnet-rfc1201-arp-icmp-http.pcap",
      "bacnet-arcnet-linux.pcap",
      "brcm-tag-stp.pcap",
      "brcm-tag.pcap",
      "dsa.pcap",
      "http_PPI.pcap",
      "ieee802.11_exthdr.pcap",
      "isup_load_generator.pcap",
      "mstp_20140225214217.pcap",
      "slip-bad-direction.pcap",
      "wpa2linkuppassphraseiswireshark.pcap",
    ]
  `);
});

test.runIf(HAS_FIXTURES).each(ours)(
  '$capture: $expression',
  ({ expression, linkType, snapLength, packets, results }) => {
    // The table that the cases come from has a netmask for the one case that needs it, the fixtures have not.
    const { program } = compilePcap(expression, { linkType, snapLength, netmask: '255.255.255.0' });
    expect(packets.map(({ bytes, wireLength }) => runBpf(program, bytes, wireLength))).toEqual(results);
  },
);
