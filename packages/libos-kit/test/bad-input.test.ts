/**
 * Every entry point of the kit's AssemblyScript with bad input: wild pointers, misaligned and overlapping ones, zero, huge, negative. It gives an error code,
 * or a value that it may give, or its environment ends and the kernel says why. Its neighbour has its memory and its time.
 *
 * The entry points are those of the reference, so a new one fails here until it has a row in `ROWS`. BAD_INPUT says which trial of how many
 * is run; 1 is all of them.
 */
import { readFileSync } from 'node:fs';
import { ERRORS } from '@exokernel/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import { boot, BystanderWatch, bystander, checkInvariants, memoryFor, type Booted } from '../../testkit/src/index.ts';
import { CutDisk, image, KIT, poke, random, TELL } from './log-support.ts';

const EACH = Number(process.env['BAD_INPUT'] ?? 400);
const [STATE, WHICH, RESULT, BUFFER, ARGUMENTS] = [TELL, TELL + 4, TELL + 8, TELL + 12, TELL + 16];
const [READY, CALLED, DONE] = [1, 2, 3];
/** Machine time that a call has, in seconds, and one that may not come back. */
const PATIENCE = 6;
const IMPATIENCE = 0.1;

interface Entry {
  readonly source: string;
  /** A function, or a class and its method. */
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
  readonly gives: string;
}

/** Splits at commas that are in no brackets. */
function split(text: string): string[] {
  const parts: string[] = [];
  let [depth, from] = [0, 0];
  for (let i = 0; i <= text.length; i += 1) {
    const char = text[i];
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (i < text.length && (char !== ',' || depth > 0)) continue;
    if (text.slice(from, i).trim() !== '') parts.push(text.slice(from, i).trim());
    from = i + 1;
  }
  return parts;
}

/** What the reference says can be called, and takes something. */
function entries(): Entry[] {
  const list: Entry[] = [];
  let [source, inside] = ['', ''];
  for (const line of readFileSync(new URL('../../../docs/kit-reference.md', import.meta.url), 'utf8').split('\n')) {
    source = /^<!-- kit: (\S+)/.exec(line)?.[1] ?? source;
    const own = /^- `class (\w+)/.exec(line)?.[1];
    if (own !== undefined || line.startsWith('- ')) inside = own ?? '';
    const call = /^( *)- `(?:static )?(\w+)\((.*?)\)(?:: ([\w| ]+))?`/.exec(line);
    if (call === null) continue;
    const [, indent, name = '', parameters = '', gives = 'void'] = call;
    if (parameters === '') continue;
    list.push({
      source,
      name: indent === '' ? name : `${inside}.${name}`,
      parameters: split(parameters).map((one) => {
        const at = one.indexOf(':');
        return { name: one.slice(0, at).replace('readonly ', '').trim(), type: one.slice(at + 1).trim() };
      }),
      gives,
    });
  }
  return list;
}

/** What a row allows: the greatest value that is no error; `any` word; `code`: 0 or an error; `waits`: and it may not come back. */
type Row = number | 'any' | 'code' | 'waits';
const SAFE_INTEGER = 0x7fffffff;
const ROWS: Readonly<Record<string, Row>> = {
  'console.console_write': 4096,
  'console.print': 'any',
  'clock.clock_sleep': 'waits',
  // An address of the program's.
  'memory.memory_allocate': 0x7fffff,
  'kit.load32': 'any',
  'kit.load16': 0xffff,
  'kit.load8': 0xff,
  'kit.store32': 'any',
  'kit.store16': 'any',
  'kit.store8': 'any',
  'kit.sleep': 'waits',
  'kit.yield_to': 'any',
  'kit.exit': 'any',
  'kit.switch_to': 'waits',
  'kit.thread_frame': 'any',
  'kit.page_entry': 0x8000,
  'upcalls.onFault': 'any',
  'upcalls.onException': 'any',
  'upcalls.onRevocation': 'any',
  'upcalls.onSliceBegin': 'any',
  'upcalls.onSliceEnd': 'any',
  'upcalls.Registers.get': 'any',
  'upcalls.Registers.set': 'any',
  'pause.pause': 'waits',
  'pause.pauseBy': 'any',
  'thread.spawn': 15,
  'thread.isAlive': 1,
  'thread.join': 'waits',
  'capability.Capability.set': 'any',
  'capability.capabilityAt': 'any',
  'page-table.PageTable.constructor': 'any',
  'page-table.PageTable.entryOf': 'any',
  'page-table.PageTable.reserve': 'waits',
  'page-table.PageTable.map': 'any',
  'page-table.PageTable.capability': 1,
  'page-table.PageTable.branch': 'code',
  'page-table.PageTable.free': 'any',
  'page-table.PageTable.forget': 1,
  'page-table.PageTable.copyOnWrite': 'any',
  'page-table.PageTable.clean': 'any',
  'page-table.PageTable.isDirty': 1,
  'page-table.PageTable.guard': 'any',
  'page-table.PageTable.fault': 1,
  'pager.Pager.constructor': 'any',
  'pager.Pager.fault': 1,
  'pager.Pager.giveUp': 8,
  'backing.backBy': 'code',
  'revocation.giveUpBy': 1,
  'revocation.beforePolicies': 'any',
  'wake.Wake.constructor': 'any',
  'wake.Wake.product': 'any',
  'wake.Wake.word': 'any',
  'wake.Wake.physical': 'any',
  'udp.udp_open': 7,
  'udp.udp_close': 'code',
  'udp.udp_send': 'waits',
  'udp.udp_receive': 'waits',
  'ethernet.count': 'any',
  'ethernet.writeEthernet': 'any',
  'ethernet.isForStation': 1,
  'ethernet.isOtherHost': 1,
  'ethernet.isNeighbour': 1,
  'filter.Filter.at': 'any',
  'filter.Filter.eq': 'any',
  'filter.Filter.masked': 'any',
  'filter.Filter.skip': 'any',
  'filter.Filter.bind': 'code',
  'ring.Ring.bind': 'code',
  'ring.Ring.setBuffer': 'any',
  'ring.Ring.send': 'code',
  'ring.ringAt': 'any',
  'ring.bufferPlace': 'any',
  'ring.frameOf': 'code',
  'ring.ownPage': 'code',
  'ring.forgetPages': 'waits',
  'packet.be16': 0xffff,
  'packet.setHalf': 'any',
  'packet.word': 'any',
  'packet.setWord': 'any',
  'packet.half': 0xffff,
  'packet.copy': 'waits',
  'packet.add': 'any',
  'packet.sumOf': 'waits',
  'packet.checksum': 0xffff,
  'arp.isKnown': 1,
  'arp.resolve': 'waits',
  'arp.receiveArp': 'any',
  'ipv4.checkIpv4': 1514,
  'ipv4.route': 'waits',
  'ipv4.writeIpv4': 'any',
  'ipv4.writeIpv4To': 'any',
  'icmp.receiveIcmp': 'any',
  'icmp.sendUnreachable': 'any',
  'handler.attachHandler': 'code',
  'handler.setWindow': 'code',
  'disk.giveSlot': 'any',
  'disk.startRead': 15,
  'disk.startWrite': 15,
  'disk.startRun': 15,
  'disk.poll': 'code',
  'disk.wait': 'waits',
  'disk.transfer': 'waits',
  'disk.frameOf': 'code',
  'disk.pages': 'any',
  'disk.DiskView.constructor': 'any',
  'disk.DiskView.cylinderOf': 'any',
  'disk.DiskView.request': 'any',
  'disk.DiskView.requestsOf': 128,
  'disk.expose': 1,
  'log.sectorsOf': 'any',
  'log.openLog': 'code',
  'log.formatLog': 'code',
  'log.append': SAFE_INTEGER,
  'log.appendParts': SAFE_INTEGER,
  'log.readRecord': 8192,
  'files.file_create': SAFE_INTEGER,
  'files.file_find': SAFE_INTEGER,
  'files.file_size': SAFE_INTEGER,
  'files.file_read': SAFE_INTEGER,
  'files.file_append': 16384,
  'files.file_remove': 'code',
  'files.file_list': SAFE_INTEGER,
};
/** System calls: what they give is always a code. */
const rowOf = ({ source, name }: Entry): Row | undefined => (source === 'calls' ? 'code' : ROWS[`${source}.${name}`]);

/** What methods are called of. */
const INSTANCES: Readonly<Record<string, string>> = {
  Registers: 'changetype<Registers>(buffer)',
  Capability: 'capabilityAt(buffer)',
  PageTable: 'table',
  Pager: 'pager',
  Wake: 'wake',
  Filter: 'Filter.at(buffer)',
  Ring: 'ringAt(buffer)',
  DiskView: 'view',
};

function argument(type: string, i: number): string {
  const word = `argument(${i})`;
  if (type === 'usize' || type === 'u32') return `<${type}>${word}`;
  if (type === 'i32') return `<i32>${word}`;
  if (type === 'bool') return `${word} != 0`;
  // Objects and functions are addresses.
  return `changetype<${type}>(<usize>${word})`;
}

function callOf({ name, parameters, gives }: Entry): string {
  const list = parameters.map(({ type }, i) => argument(type, i)).join(', ');
  const [of = '', method] = name.split('.');
  const asWord = (made: string): string => {
    if (gives === 'void') return `${made}; return 0;`;
    return /^([iu]32|bool|usize)/.test(gives) ? `return <u32>${made};` : `return <u32>changetype<usize>(${made});`;
  };
  if (method === undefined) return asWord(`${name}(${list})`);
  if (method === 'constructor') return `return <u32>changetype<usize>(new ${of}(${list}));`;
  if (name === 'Filter.at') return `return <u32>changetype<usize>(Filter.at(${list}));`;
  return asWord(`${INSTANCES[of] ?? ''}.${method}(${list})`);
}

function source(list: readonly Entry[]): string {
  const names = new Map<string, Set<string>>();
  // Two files have a function of this name.
  const local = (entry: Entry): Entry =>
    entry.source === 'ring' && entry.name === 'frameOf' ? { ...entry, name: 'ringFrameOf' } : entry;
  for (const entry of list) {
    const [first = ''] = entry.name.split('.');
    const set = names.get(entry.source) ?? new Set();
    set.add(local(entry).name === 'ringFrameOf' ? 'frameOf as ringFrameOf' : first);
    names.set(entry.source, set);
  }
  names.get('capability')?.add('Capability');
  names.get('disk')?.add('EXTENT');
  names.get('files')?.add('file_format');
  names.get('page-table')?.add('KIT_TABLE');
  names.get('ring')?.add('RING_RECORD');
  const imports = [...names].map(([of, set]) => `import { ${[...set].join(', ')} } from '${KIT}/${of}';`);
  return `${imports.join('\n')}
    const BASE: usize = 0x10000000;
    const table = new PageTable(memory.data(16 * 8), BASE, 8);
    const pager = new Pager(table, EXTENT, 0);
    const buffer: usize = pages(4);
    const wake = new Wake(pages(1));
    const view = new DiskView(0x600000);
    function argument(i: i32): u32 { return load32(${ARGUMENTS} + 4 * i); }
    function call(which: u32): u32 {
      switch (which) { ${list.map((entry, i) => `case ${i}: ${callOf(local(entry))}`).join('\n')} default: return 0; }
    }
    function result(which: u32): u32 { return call(which); }
    export function main(): i32 {
      for (let i = 0; i < 16384; i += 4) store<u32>(buffer + i, i);
      for (let i = 0; i < 64; i += 4) store<u32>(buffer + i, 0);
      for (let i = 0; i < 16; i += 4) store<u32>(buffer + 8192 + i, load<u32>(changetype<usize>(EXTENT) + i));
      file_format();
      store32(${BUFFER}, buffer);
      store32(${STATE}, ${READY});
      while (load32(${STATE}) == ${READY}) yield_to(-1);
      const given = result(load32(${WHICH}));
      store32(${RESULT}, given);
      store32(${STATE}, ${DONE});
      return 0;
    }`;
}

const HUGE = [0xffffffff, 0x80000000, 0x7fffffff];
/** Bad values of a parameter. */
function bad(type: string, buffer: number): readonly number[] {
  if (type === 'bool') return [0, 1];
  if (type === 'i32' || type === 'u32') return [0, ...HUGE, 0xfffffffe, 3, 17, 0x10000];
  // u-page, the kit's text and table, the edge of memory, the kernel's.
  return [
    0,
    1,
    2,
    ...HUGE,
    0xfffffffc,
    0x80000084,
    0xa0000000,
    0x1180,
    0x2000,
    0x4000,
    0x7effff,
    0x7ffffc,
    0x7c0001,
    buffer + 1,
    buffer + 3,
  ];
}

/** Arguments of each trial of an entry point: one is bad, then all, then ranges overlap. */
function trials({ parameters }: Entry, buffer: number): readonly (readonly number[])[] {
  const good = parameters.map(({ type }) =>
    type === 'Capability' ? buffer + 8192 : /32|bool/.test(type) ? 1 : buffer,
  );
  const list: number[][] = [[...good]];
  parameters.forEach(({ type }, i) => {
    for (const value of bad(type, buffer)) list.push(good.map((other, j) => (i === j ? value : other)));
  });
  for (const value of [0, ...HUGE, 1]) list.push(parameters.map(() => value));
  for (const [shift, length] of [
    [1, 100],
    [4, 4096],
    [64, 65],
  ] as const) {
    list.push(
      parameters.map(({ type }, i) =>
        type === 'usize' ? buffer + i * shift : type === 'Capability' ? buffer + i * 4 : length,
      ),
    );
  }
  return list;
}

const ENTRIES = entries();

test('each has a row, and each row an entry point', () => {
  expect(ENTRIES.filter((entry) => rowOf(entry) === undefined).map(({ source: of, name }) => `${of}.${name}`)).toEqual(
    [],
  );
  const names = new Set(ENTRIES.map(({ source: of, name }) => `${of}.${name}`));
  expect(Object.keys(ROWS).filter((name) => !names.has(name))).toEqual([]);
  expect(ENTRIES.length).toBeGreaterThan(140);
});

describe('bad input', () => {
  let booted: Booted;
  let snapshot: Uint8Array;
  let bytes: Uint8Array;
  const disk = new CutDisk(32);
  let buffer = 0;

  beforeAll(async () => {
    booted = boot([await image(source(ENTRIES), { extent: { start: 0, blocks: 24 } }), bystander()], {
      disk: { store: disk },
      ramBytes: memoryFor(200),
      engine: 'interpreter',
    });
    if (!booted.runUntil(() => booted.uWord(0, STATE) === READY, 2))
      throw new Error(booted.aegis.environment(0).cause?.text ?? 'it has not begun');
    buffer = booted.uWord(0, BUFFER);
    snapshot = booted.machine.snapshot();
    bytes = disk.bytes.slice();
  }, 120_000);

  test.each([...new Set(ENTRIES.map(({ source: of }) => of))])('to %s', { timeout: 3_600_000 }, (of) => {
    const choose = random(of.length);
    let [returns, ends] = [0, 0];
    const wrong: string[] = [];
    ENTRIES.forEach((entry, which) => {
      if (entry.source !== of) return;
      const row = rowOf(entry);
      const all = trials(entry, buffer);
      const one = choose(all.length);
      all.forEach((words, trial) => {
        if (choose(EACH) !== 0 && trial !== one) return;
        const where = `${of}.${entry.name}(${words.map((word) => `0x${(word >>> 0).toString(16)}`).join(', ')})`;
        disk.bytes.set(bytes);
        booted.machine.restore(snapshot);
        const watch = new BystanderWatch(booted.aegis, 1);
        poke(booted, 0, WHICH, which);
        words.forEach((word, i) => {
          poke(booted, 0, ARGUMENTS + 4 * i, word);
        });
        poke(booted, 0, STATE, CALLED);
        let given: number | undefined;
        booted.runUntil(
          () => {
            watch.look();
            if (booted.aegis.environment(0).status !== 'dead' && booted.uWord(0, STATE) === DONE)
              given = booted.uWord(0, RESULT);
            return booted.aegis.environment(0).status === 'dead';
          },
          row === 'waits' ? IMPATIENCE : PATIENCE,
        );
        booted.machine.run(booted.machine.hz / 50);
        const { status, cause } = booted.aegis.environment(0);
        if (given !== undefined) {
          returns += 1;
          const isError = given < 0 && Object.values(ERRORS).some((code) => code === given);
          const may =
            row === 'any' ||
            row === 'waits' ||
            isError ||
            (row === 'code' ? given === 0 : given >= 0 && given <= Number(row));
          if (!may) wrong.push(`${where} gives ${given}`);
        } else if (status === 'dead') {
          ends += 1;
          if (cause === undefined) wrong.push(`${where} ends without a cause`);
        } else if (row !== 'waits') wrong.push(`${where} does not come back`);
        const damage = [...watch.damage(), ...(trial % 8 === 0 ? checkInvariants(booted.aegis) : [])];
        wrong.push(...damage.map((what) => `${where}: ${what}`));
      });
    });
    if (process.env['BAD_INPUT'] !== undefined) console.info(of, { returns, ends });
    expect(wrong).toEqual([]);
    expect(returns + ends).toBeGreaterThan(0);
  });
});
