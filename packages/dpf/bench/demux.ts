/**
 * Measures demultiplexing: nanoseconds per packet for growing numbers of filters, against matching one after the other,
 * and executed MIPS instructions for ten TCP/IP filters. Run with `node packages/dpf/bench/demux.ts`.
 *
 * Each figure is the least of nine rounds over 10,000 packets that all match. "linear" is the best of the simple ways in
 * the same language: a loop over filters, each a loop over its atoms.
 */
import { compileMips } from '@exokernel/vcode';
import { compileFilters, FilterSet, matches, tcp, type Atom } from '../src/index.ts';
import { onMips } from '../test/on-mips.ts';
import { packet } from '../test/packets.ts';

const PACKETS = 10_000;
const STRIDE = 64;
const DESCRIPTORS = 1 << 20;
const RESULTS = DESCRIPTORS + 8 * PACKETS;

const now = (): number => performance.now();

/** Least nanoseconds per packet. */
function measure(run: () => void, rounds = 9): number {
  let least = Infinity;
  for (let i = 0; i < rounds; i += 1) {
    const start = now();
    run();
    least = Math.min(least, ((now() - start) * 1e6) / PACKETS);
  }
  return least;
}

function connection(i: number): { srcIp: number; srcPort: number; dstIp: string; dstPort: number } {
  return {
    srcIp: 0x0a010000 + ((i * 7919) % 65536),
    srcPort: 1024 + ((i * 31) % 50000),
    dstIp: '10.0.0.1',
    dstPort: 80,
  };
}

function show(label: string, ...cells: (string | number)[]): void {
  console.log(
    label.padEnd(34),
    ...cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell).padStart(9)),
  );
}

const COUNTS = [1, 10, 100, 1000];
console.log('ns per 64-byte packet; filters are TCP 4-tuples of one server');
show('filters', ...COUNTS.map(String));
const rows: Record<string, number[]> = {
  linear: [],
  'trie walk (no Wasm)': [],
  'demux (copies)': [],
  classify: [],
  classifyBatch: [],
  'merge and compile, ms': [],
};
for (const count of COUNTS) {
  const filters: Atom[][] = Array.from({ length: count }, (_, i) => tcp(connection(i)));
  const packets = Array.from({ length: PACKETS }, (_, i) =>
    packet({ protocol: 6, payload: 10, ...connection((i * 617) % count) }),
  );
  const start = now();
  const set = new FilterSet({ maxFilters: 1000 });
  for (const filter of filters) set.insert(filter);
  const classifier = compileFilters(set, { windowBytes: 2 << 20 });
  classifier.demux(packet());
  rows['merge and compile, ms']?.push(now() - start);
  const view = new DataView(classifier.window.buffer);
  packets.forEach((bytes, i) => {
    classifier.window.set(bytes, i * STRIDE);
    view.setUint32(DESCRIPTORS + 8 * i, i * STRIDE, true);
    view.setUint32(DESCRIPTORS + 8 * i + 4, bytes.length, true);
  });
  let sum = 0;
  const all = (one: (i: number, bytes: Uint8Array) => number) => (): void => {
    for (let i = 0; i < packets.length; i += 1) sum += one(i, packets[i] as Uint8Array);
  };
  rows['linear']?.push(
    measure(
      all((_, bytes) => filters.findIndex((atoms) => matches(atoms, bytes))),
      count > 100 ? 2 : 9,
    ),
  );
  rows['trie walk (no Wasm)']?.push(measure(all((_, bytes) => set.demux(bytes))));
  rows['demux (copies)']?.push(measure(all((_, bytes) => classifier.demux(bytes))));
  rows['classify']?.push(measure(all((i, bytes) => classifier.classify(i * STRIDE, bytes.length))));
  rows['classifyBatch']?.push(measure(() => classifier.classifyBatch(DESCRIPTORS, PACKETS, RESULTS)));
  for (let i = 0; i < PACKETS; i += 1) {
    if (view.getUint32(RESULTS + 4 * i, true) - 1 !== (i * 617) % count) throw new Error('a wrong match');
  }
  if (Number.isNaN(sum)) throw new Error('no sum');
}
for (const [label, cells] of Object.entries(rows)) show(label, ...cells);

console.log('\nMIPS instructions executed for ten TCP/IP filters (least, mean, most over the ten; then a miss)');
/** What the published measurements test: type, protocol, header length, port; no fragments. */
const published = (i: number): Atom[] => [
  { kind: 'eq', offset: 12, size: 2, value: 0x0800 },
  { kind: 'eq', offset: 23, size: 1, value: 6 },
  { kind: 'shift', offset: 14, size: 1, mask: 0x0f, shift: 2 },
  { kind: 'eq', offset: 16, size: 2, value: 1000 + 111 * i },
];
const SETS: Record<string, (i: number) => Atom[]> = {
  'port, fragments not told apart': published,
  'destination port': (i) => tcp({ dstPort: 1000 + 111 * i }),
  'both addresses and ports': (i) => tcp(connection(i)),
};
for (const [label, filter] of Object.entries(SETS)) {
  for (const skew of [0, 2]) {
    const set = new FilterSet();
    for (let i = 0; i < 10; i += 1) set.insert(filter(i));
    const run = onMips(set, { align: 4, skew });
    const counts = Array.from({ length: 10 }, (_, i) => {
      const shape = !label.includes('ports') ? { dstPort: 1000 + 111 * i } : connection(i);
      const { id, executed } = run(packet({ protocol: 6, ...shape }));
      if (id !== i) throw new Error('a wrong match');
      return executed;
    });
    const miss = run(packet({ protocol: 17 }));
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const { words, costs } = compileMips(set.program({ align: 4, skew }), 0);
    show(
      `${label}, frame at ${skew} mod 4`,
      Math.min(...counts),
      mean,
      Math.max(...counts),
      miss.executed,
      `${words.length} words`,
      `bound ${costs[0]}`,
    );
  }
}
