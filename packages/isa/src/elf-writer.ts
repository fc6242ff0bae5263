/**
 * The ELF writer: segments, symbols and a note to an executable that the loader of this package and any other tool read.
 *
 *     header, program headers, the bytes of the segments, the note, the tables of symbols and names, section headers
 *
 * Source: [ELF].
 */
import type { ElfNote, ElfSegment } from './elf.ts';

/** What a file is made of. Segments do not overlap; a name is ASCII. */
export interface ElfParts {
  readonly entry: number;
  readonly segments: readonly (ElfSegment & { readonly name: string })[];
  readonly symbols: readonly ElfSymbol[];
  readonly notes: readonly ElfNote[];
}

/** A name for an address; `size` in bytes. One outside of all segments belongs to other code. */
export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Other than the length of `bytes` for what has none in the file. */
  readonly size: number;
  readonly link?: number;
  readonly info?: number;
  readonly entrySize?: number;
}

const EHDR_SIZE = 52;
const PHDR_SIZE = 32;
const SHDR_SIZE = 40;
const ALIGNMENT = 4;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT = { progbits: 1, symtab: 2, strtab: 3, note: 7, nobits: 8 } as const;
const SHF_ALLOC = 2;
const SHN_ABS = 0xfff1;
const GLOBAL_FUNCTION = 0x12;

/** The file. */
export function writeElf({ entry, segments, symbols, notes }: ElfParts): Uint8Array<ArrayBuffer> {
  const names = new Names();
  const note = join(notes.map(noteBytes));
  const loaded = segments.map(({ name, vaddr, bytes, memSize, flags }): Section => {
    const type = bytes.length === 0 ? SHT.nobits : SHT.progbits;
    // Permissions of a segment are 4 read, 2 write, 1 execute; of a section 1 write, 4 execute.
    const access = ((flags >> 1) & 1) | ((flags & 1) << 2);
    return { name, type, flags: SHF_ALLOC | access, address: vaddr, bytes, size: bytes.length || memSize };
  });
  const plain = { flags: 0, address: 0 };
  const noteSection: Section = { ...plain, name: '.note', type: SHT.note, bytes: note, size: note.length };
  const table = symbolTable(symbols, segments, names);
  const strings = 1 + loaded.length + 2;
  const before: readonly Section[] = [
    { ...plain, name: '', type: 0, bytes: new Uint8Array(0), size: 0 },
    ...loaded,
    noteSection,
    {
      ...plain,
      name: '.symtab',
      type: SHT.symtab,
      bytes: table,
      size: table.length,
      link: strings,
      info: 1,
      entrySize: 16,
    },
  ];
  for (const { name } of before) names.at(name);
  names.at('.strtab');
  const text = names.bytes();
  const sections: readonly Section[] = [
    ...before,
    { ...plain, name: '.strtab', type: SHT.strtab, bytes: text, size: text.length },
  ];
  return place(entry, segments, sections, names);
}

function place(
  entry: number,
  segments: ElfParts['segments'],
  sections: readonly Section[],
  names: Names,
): Uint8Array<ArrayBuffer> {
  const headers = EHDR_SIZE + PHDR_SIZE * (segments.length + 1);
  let end = headers;
  const offsets = sections.map(({ bytes }) => {
    const offset = end;
    end = align(end + bytes.length);
    return offset;
  });
  const file = new Uint8Array(end + SHDR_SIZE * sections.length);
  const view = new DataView(file.buffer);
  const words = (at: number, values: readonly number[]): void => {
    values.forEach((value, i) => {
      view.setUint32(at + 4 * i, value, true);
    });
  };
  // 32 bits, little-endian, version 1; an executable for MIPS; flags: o32, no abicalls.
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  words(16, [0x00080002, 1, entry, EHDR_SIZE, end, 0x1001]);
  [EHDR_SIZE, PHDR_SIZE, segments.length + 1, SHDR_SIZE, sections.length, sections.length - 1].forEach((value, i) => {
    view.setUint16(40 + 2 * i, value, true);
  });
  segments.forEach(({ vaddr, bytes, memSize, flags }, i) => {
    const offset = offsets[i + 1] ?? 0;
    words(EHDR_SIZE + PHDR_SIZE * i, [PT_LOAD, offset, vaddr, vaddr, bytes.length, memSize, flags, ALIGNMENT]);
  });
  const note = segments.length + 1;
  const { size = 0 } = sections[note] ?? {};
  words(EHDR_SIZE + PHDR_SIZE * segments.length, [PT_NOTE, offsets[note] ?? 0, 0, 0, size, size, 4, ALIGNMENT]);
  sections.forEach(({ name, type, flags, address, bytes, size: length, link = 0, info = 0, entrySize = 0 }, i) => {
    const offset = offsets[i] ?? 0;
    file.set(bytes, offset);
    if (i === 0) return;
    words(end + SHDR_SIZE * i, [
      names.at(name),
      type,
      flags,
      address,
      offset,
      length,
      link,
      info,
      ALIGNMENT,
      entrySize,
    ]);
  });
  return file;
}

function symbolTable(symbols: readonly ElfSymbol[], segments: ElfParts['segments'], names: Names): Uint8Array {
  const table = new Uint8Array(16 * (symbols.length + 1));
  const view = new DataView(table.buffer);
  symbols.forEach(({ name, address, size }, i) => {
    const at = 16 * (i + 1);
    const section = segments.findIndex(({ vaddr, memSize }) => address >= vaddr && address < vaddr + memSize);
    view.setUint32(at, names.at(name), true);
    view.setUint32(at + 4, address, true);
    view.setUint32(at + 8, size, true);
    view.setUint8(at + 12, GLOBAL_FUNCTION);
    view.setUint16(at + 14, section < 0 ? SHN_ABS : section + 1, true);
  });
  return table;
}

function noteBytes({ name, type, bytes }: ElfNote): Uint8Array {
  const owner = ascii(name);
  const note = new Uint8Array(12 + align(owner.length) + align(bytes.length));
  const view = new DataView(note.buffer);
  [owner.length, bytes.length, type].forEach((value, i) => {
    view.setUint32(4 * i, value, true);
  });
  note.set(owner, 12);
  note.set(bytes, 12 + align(owner.length));
  return note;
}

/** A table of names, each once. */
class Names {
  readonly #offsets = new Map<string, number>([['', 0]]);
  #length = 1;

  at(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.#length;
      this.#offsets.set(name, offset);
      this.#length += name.length + 1;
    }
    return offset;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    for (const [name, offset] of this.#offsets) bytes.set(ascii(name), offset);
    return bytes;
  }
}

/** With a zero behind it. */
const ascii = (text: string): Uint8Array => Uint8Array.from(`${text}\0`, (letter) => letter.charCodeAt(0) & 0x7f);

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
