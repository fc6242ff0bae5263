import { expect, test } from 'vitest';
import { encodeBpf, formatBpf, runBpf } from '../src/bpf/index.ts';
import { arp, compileFilters, FilterSet, tcp, udp } from '../src/index.ts';
import { compilePcap } from '../src/pcap/index.ts';
import { packet as make } from './packets.ts';

test('the snippet of the README', () => {
  const packet = make({ protocol: 6, srcIp: '10.0.0.9', srcPort: 4000, dstIp: '10.0.0.1', dstPort: 80 });
  const lines: string[] = [];
  const console = { log: (line: string) => lines.push(line) };

  const set = new FilterSet();
  const dns = set.insert(udp({ dstPort: 53 }));
  const web = set.insert(tcp({ dstIp: '10.0.0.1', dstPort: 80 }));
  const one = set.insert(tcp({ dstIp: '10.0.0.1', dstPort: 80, srcIp: '10.0.0.9', srcPort: 4000 }));
  set.insert(arp());

  const classifier = compileFilters(set); // follows the set: it recompiles itself after an insert or a delete
  const id = classifier.demux(packet); // dns, web, one, …, or -1

  // Many packets without copying any: put them into the window, describe them, classify them in one call.
  const view = new DataView(classifier.window.buffer);
  classifier.window.set(packet, 4096);
  view.setUint32(0, 4096, true); // offset of packet 0
  view.setUint32(4, packet.length, true); // its length
  classifier.classifyBatch(0, 1, 2048); // descriptors at 0, one of them, results to 2048
  const first = view.getUint32(2048, true) - 1; // the id, or -1

  console.log(set.explain());

  expect([id, first]).toEqual([one, one]);
  expect(classifier.demux(make({ protocol: 6, dstPort: 80 }))).toBe(web);
  expect(classifier.demux(make({ dstPort: 53 }))).toBe(dns);
  expect(lines[0]).toContain('switch [20:4] & 0x1fff00ff');
});

test('the snippet of the pcap language', () => {
  const packet = make({ protocol: 6, srcIp: '10.0.0.9', srcPort: 4000, dstIp: '10.0.0.1', dstPort: 80 });
  const lines: string[] = [];
  const console = { log: (line: string) => lines.push(line) };

  const { program } = compilePcap('tcp dst port 80 and (src net 10.0.0.0/8 or not ip)', { linkType: 'EN10MB' });
  const wanted = runBpf(program, packet); // 262144, the snapshot length, or 0

  console.log(formatBpf(program)); // as tcpdump -d prints it
  const numbers = encodeBpf(program); // as tcpdump -ddd prints it

  expect(wanted).toBe(262_144);
  expect(runBpf(program, make({ protocol: 6, srcIp: '11.0.0.9', dstPort: 80 }))).toBe(0);
  expect(lines[0]).toContain('(000) ldh      [12]');
  expect(numbers).toMatch(/^\d+\n40 0 0 12\n/);
});
