/**
 * Bytes per second of two stacks back to back in one process: every frame is built, copied once onto the "wire", parsed,
 * checked and acknowledged. Run: `node packages/net/bench/two-stacks.ts [megabytes]`.
 */
import { bytesPayload, copyFrame, frameLength, NetworkStack, parseIpv4, type Payload } from '../src/index.ts';

const MEGABYTES = Number(process.argv[2] ?? 256);
const netmask = parseIpv4('255.255.255.0');

function stack(host: number): NetworkStack {
  const tcp = { receiveBuffer: 65535, sendBuffer: 1 << 20 };
  return new NetworkStack({ mac: 0x020000000000 + host, ip: parseIpv4(`10.0.0.${host}`), netmask, seed: host, tcp });
}

/** A payload whose sums per segment were computed once, as a file cache keeps them. */
function precomputed(bytes: Uint8Array, segment: number): Payload {
  const plain = bytesPayload(bytes);
  const sums = Array.from({ length: Math.ceil(bytes.length / segment) }, (_, i) =>
    plain.sum(i * segment, Math.min(bytes.length, (i + 1) * segment)),
  );
  return {
    ...plain,
    sum: (from, to) => {
      const isWhole = from % segment === 0 && (to - from === segment || to === bytes.length);
      return isWhole ? (sums[from / segment] ?? 0) : plain.sum(from, to);
    },
  };
}

function run(name: string, block: Payload): void {
  const a = stack(1);
  const b = stack(2);
  const wire = new Uint8Array(1600);
  const move = (from: NetworkStack, to: NetworkStack, now: number): number => {
    let frames = 0;
    from.transmit((frame) => {
      copyFrame(frame, wire, 0);
      to.receive(wire.subarray(0, frameLength(frame)), now);
      frames += 1;
      return true;
    }, now);
    return frames;
  };
  const listener = b.tcp.listen(80);
  const client = a.tcp.connect(b.ip, 80);
  const total = MEGABYTES * 2 ** 20;
  let written = 0;
  let read = 0;
  let frames = 0;
  let server = listener.accept();
  const start = performance.now();
  while (read < total) {
    const now = performance.now() - start;
    while (written < total && client.write(block)) written += block.length;
    frames += move(a, b, now) + move(b, a, now);
    server ??= listener.accept();
    read += server?.read().length ?? 0;
    a.poll(now);
    b.poll(now);
  }
  const seconds = (performance.now() - start) / 1000;
  const rate = (total / seconds / 1e6).toFixed(0);
  const perFrame = ((seconds * 1e6) / frames).toFixed(2);
  console.log(`${name}: ${rate} MB/s, ${frames} frames, ${perFrame} µs per frame, ${client.error ?? 'no error'}`);
}

const bytes = new Uint8Array(1460 * 44).map((_, i) => i * 7);
run('warm-up', bytesPayload(bytes));
run('sums computed while sending', bytesPayload(bytes));
run('sums precomputed per segment', precomputed(bytes, 1460));
