import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HardwareError, PcapngWriter, Wire } from '../src/index.ts';
import { captureFile } from '../src/node/index.ts';
import { idle } from './support.ts';

const MAC = Uint8Array.of(8, 0, 0x2b, 1, 2, 3);
const folder = mkdtempSync(join(tmpdir(), 'capture-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function hex(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('hex');
}

/** An ARP request of `length` bytes from station `from`. */
function arp(from: number, length = 60): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(`ffffffffffff02000000000${from}0806000108000604000102000000000${from}0a00000${from}`, 'hex'));
  return bytes;
}

describe('pcapng [PCAPNG]', () => {
  test('literal bytes', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes));
    expect(hex(parts.splice(0))).toBe(
      '0a0d0d0a' +
        '38000000' +
        '4d3c2b1a' +
        '01000000' +
        'ffffffffffffffff' + // section header, version 1.0
        '04001300' +
        Buffer.from('@exokernel/hardware').toString('hex') +
        '00' +
        '00000000' +
        '38000000',
    );
    expect(writer.addInterface({ name: 'wire', epoch: 0x12345678 })).toBe(0);
    expect(hex(parts.splice(0))).toBe(
      '01000000' +
        '34000000' +
        '01000000' +
        '00000000' + // Ethernet, any length
        '02000400' +
        '77697265' +
        '09000100' +
        '09000000' +
        '0e000800' +
        '7856341200000000' +
        '00000000' +
        '34000000',
    );
    expect(writer.addInterface({ name: 'ab' })).toBe(1);
    parts.length = 0;
    writer.addFrame(1, Uint8Array.of(1, 2, 3, 4, 5), 0x1234_89abcdef);
    expect(hex(parts.splice(0))).toBe(
      '06000000' +
        '28000000' +
        '01000000' +
        '34120000' +
        'efcdab89' +
        '05000000' +
        '05000000' +
        '0102030405000000' +
        '28000000',
    );
    writer.addFrame(0, Uint8Array.of(1, 2, 3, 4), 2.5, true);
    expect(hex(parts)).toBe(
      '06000000' +
        '30000000' +
        '00000000' +
        '00000000' +
        '03000000' +
        '04000000' +
        '04000000' +
        '01020304' +
        '02000400' +
        '00000001' +
        '00000000' +
        '30000000', // the FCS did not match
    );
  });

  test('a wire is captured from then on until it is ended; every block says twice how long it is', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes));
    const wire = new Wire();
    const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
    const { send } = wire.attach({ receive: () => undefined });
    send(arp(1));
    machine.run(2000);
    const end = writer.capture(wire, { name: 'net' });
    for (let i = 2; i < 5; i += 1) send(arp(i, 60 + i));
    machine.run(10_000);
    end();
    send(arp(5));
    machine.run(2000);
    const lengths: number[] = [];
    for (const part of parts) {
      const view = new DataView(part.buffer, part.byteOffset, part.length);
      expect([view.getUint32(4, true), view.getUint32(part.length - 4, true), part.length % 4]).toEqual([
        part.length,
        part.length,
        0,
      ]);
      if (view.getUint32(0, true) === 6) lengths.push(view.getUint32(20, true));
    }
    expect(lengths).toEqual([62, 63, 64]);
  });

  test('a file that cannot be written is an error', () => {
    let code = '';
    try {
      captureFile(join(folder, 'absent', 'file'));
    } catch (error) {
      if (error instanceof HardwareError) code = error.code;
    }
    expect(code).toBe('capture');
  });

  test.skipIf(!existsSync('/dev/full'))(
    'a file that cannot take all says so when it is asked, and the machine goes on',
    () => {
      const wire = new Wire();
      const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
      const file = captureFile('/dev/full');
      file.writer.capture(wire, { name: 'eth0' });
      const { send } = wire.attach({ receive: () => undefined });
      for (let i = 0; i < 100; i += 1) {
        send(new Uint8Array(1500));
        machine.run(50_000);
      }
      const codes = (['flush', 'close'] as const).map((end) => {
        try {
          file[end]();
        } catch (error) {
          if (error instanceof HardwareError) return error.code;
        }
        return 'nothing thrown';
      });
      expect(codes).toEqual(['capture', 'capture']);
    },
  );

  /** Two wires captured to a file: what was sent on them, in nanoseconds. */
  function captured(): string {
    const path = join(folder, 'two.pcapng');
    const file = captureFile(path);
    const wires = [new Wire(), new Wire({ faults: { corrupt: 1, seed: 4 } })];
    wires.forEach((wire, i) => {
      const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
      const end = file.writer.capture(wire, { name: `wire${i}`, epoch: 1_000_000_000 });
      const { send } = wire.attach({ receive: () => undefined });
      machine.run(25_000_000 + i);
      send(arp(1 + i));
      machine.run(2000);
      end();
    });
    file.close();
    return path;
  }

  test('a file holds all that was written', () => {
    const bytes = readFileSync(captured());
    let at = 0;
    const types: number[] = [];
    while (at < bytes.length) {
      types.push(bytes.readUInt32LE(at));
      at += bytes.readUInt32LE(at + 4);
    }
    expect(at).toBe(bytes.length);
    expect(types).toEqual([0x0a0d0d0a, 1, 6, 1, 6]);
  });

  const tshark = installed('tshark');
  test.skipIf(!tshark)(`tshark reads it${tshark ? '' : ' (skipped: tshark is not installed)'}`, () => {
    const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.len', 'frame.packet_flags_crc_error', 'eth.src'];
    const text = execFileSync(
      'tshark',
      ['-r', captured(), '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const [first, second] = text.split('\n').map((line) => line.split('\t'));
    expect(first).toEqual(['1000000001.000057600', 'wire0', '60', '', '02:00:00:00:00:01']);
    expect(second?.slice(0, 3)).toEqual(['1000000001.000057640', 'wire1', '60']);
    expect(second?.[3]).toMatch(/^(1|True)$/);
  });
});

function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
