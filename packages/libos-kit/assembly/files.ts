/**
 * Interface `files`: flat files in the extent that the environment was given at boot. Export the functions file_* to provide it.
 *
 * A file has a name of 1 to FILE_NAME_MOST bytes, and a number from 1 on, which no other file gets in this environment's life. Files are records of a
 * log (log.ts): one says that a file was created, or removed, others what was appended. What a call has acknowledged is there after a loss of
 * power; any other call has happened, or has not. Names, sizes, and where the pieces of each file are, are kept in memory.
 *
 * When the half of the extent is full, what is still wanted is written to the other one, and small pieces become greater ones.
 *
 * Errors: E.ENV there is no extent, E.CODE something else than files is in it, E.CAP no file has this number, E.BUSY a file has this name, E.NONE no
 * room, E.RANGE, E.DEVICE, E.AGAIN another call is under way, which a handler or another thread has interrupted.
 */
import { E, UKIT } from './abi';
import { EXTENT, extentBlocks } from './disk';
import { append, appendParts, beginRewrite, commitRewrite, formatLog, logRoom } from './log';
import { logSectors, openLog, readRecord, sectorsOf, sync } from './log';

/** Bytes of a name. */
export const FILE_NAME_MOST: i32 = 28;
/** Bytes of one append. */
export const FILE_APPEND_MOST: i32 = 4096;
/** Files, and pieces of all files. Assumption: more would not fit the library's memory. */
const FILES = 64;
const PIECES = 1024;

/** Kinds of records. Each begins with kind, number and, for APPENDED, the place in the file; then come the name or the bytes. */
const CREATED: u32 = 1;
const REMOVED: u32 = 2;
const APPENDED: u32 = 3;
const RECORD_HEAD = 12;

@unmanaged
class File {
  /** 0: there is none. */
  number: i32;
  size: i32;
  /** Pieces, or −1. */
  first: i32;
  last: i32;
  nameBytes: i32;
}
const FILE_NAME = 20;
const FILE_BYTES = 48;

/** Bytes that follow each other in a file. */
@unmanaged
class Piece {
  /** Where their record is; −1: it is lost. */
  position: i32;
  bytes: i32;
  /** The next one of the file, or of those that are free; −1: none. */
  next: i32;
}
const PIECE_BYTES = 12;

const files: usize = memory.data(FILES * FILE_BYTES);
const pieces: usize = memory.data(PIECES * PIECE_BYTES);
const head: usize = memory.data(RECORD_HEAD);
const scratch: usize = memory.data(FILE_APPEND_MOST);
let freePieces = 0;
let firstFree = -1;
let lastNumber = 0;
let isOpen = false;
let isBusy = false;

/** Creates an empty file. Its number. */
export function file_create(name: usize, bytes: i32): i32 {
  if (bytes < 1 || bytes > FILE_NAME_MOST) return E.RANGE;
  const code = enter();
  return code < 0 ? code : leave(create(name, bytes));
}

/** The number of the file of a name; 0: there is none. */
export function file_find(name: usize, bytes: i32): i32 {
  if (bytes < 1 || bytes > FILE_NAME_MOST) return E.RANGE;
  const code = enter();
  if (code < 0) return code;
  const file = named(name, bytes);
  return leave(file == null ? 0 : file.number);
}

/** Bytes of a file. */
export function file_size(number: i32): i32 {
  const code = enter();
  if (code < 0) return code;
  const file = existing(number);
  return leave(file == null ? E.CAP : file.size);
}

/** Reads up to `most` bytes of a file from `offset` on. How many: 0 at its end. E.CODE where bytes are lost because the disk has damaged them. */
export function file_read(number: i32, offset: i32, into: usize, most: i32): i32 {
  if (offset < 0 || most < 0) return E.RANGE;
  const code = enter();
  return code < 0 ? code : leave(read(number, offset, into, most));
}

/** Appends up to FILE_APPEND_MOST bytes, all or none of them. How many. */
export function file_append(number: i32, from: usize, bytes: i32): i32 {
  if (bytes < 0 || bytes > FILE_APPEND_MOST) return E.RANGE;
  const code = enter();
  return code < 0 ? code : leave(appendTo(number, from, bytes));
}

/** Removes a file. 0. */
export function file_remove(number: i32): i32 {
  const code = enter();
  return code < 0 ? code : leave(remove(number));
}

/**
 * The file with the next number after `after`, beginning with 0; 0: there are no more. Stores at `into` its size, the length of its name, and the name:
 * two words and FILE_NAME_MOST bytes. E.RANGE for an address that is no word's.
 */
export function file_list(after: i32, into: usize): i32 {
  if ((into & 3) != 0) return E.RANGE;
  const code = enter();
  if (code < 0) return code;
  let next: File | null = null;
  for (let i = 0; i < FILES; i++) {
    const file = fileAt(i);
    if (file.number > after && file.number > 0 && (next == null || file.number < next.number)) next = file;
  }
  if (next == null) return leave(0);
  store<i32>(into, next.size);
  store<i32>(into, next.nameBytes, 4);
  memory.copy(into + 8, changetype<usize>(next) + FILE_NAME, FILE_NAME_MOST);
  return leave(next.number);
}

/** Makes the extent empty, whatever is in it. 0. */
export function file_format(): i32 {
  if (isBusy) return E.AGAIN;
  if (load<u32>(UKIT.extent) == 0) return E.ENV;
  isBusy = true;
  isOpen = false;
  return leave(formatLog(EXTENT, extentBlocks()));
}

// ---- Calls

/** 0 if the files are open and this call may go on. */
function enter(): i32 {
  if (isBusy) return E.AGAIN;
  if (load<u32>(UKIT.extent) == 0) return E.ENV;
  isBusy = true;
  if (isOpen) return 0;
  clear();
  let code = openLog(EXTENT, extentBlocks(), found);
  if (code == E.NONE) {
    code = formatLog(EXTENT, extentBlocks());
    if (code == 0) code = openLog(EXTENT, extentBlocks(), found);
  }
  isOpen = code == 0;
  return code < 0 ? leave(code) : 0;
}

/** The end of a call. If the disk has failed, what is in memory is not believed any more. */
function leave(code: i32): i32 {
  if (code == E.DEVICE) isOpen = false;
  isBusy = false;
  return code;
}

/** What the log says to a write; a right that has ended is like a disk that has failed. */
function written(code: i32): i32 {
  if (code >= 0) code = sync();
  return code < 0 && code != E.NONE ? E.DEVICE : code;
}

function create(name: usize, bytes: i32): i32 {
  if (named(name, bytes) != null) return E.BUSY;
  const file = numbered(0);
  if (file == null) return E.NONE;
  let code = makeRoom(sectorsOf(RECORD_HEAD + bytes), 0);
  if (code < 0) return code;
  // The greatest number may stand on a disk that another has written.
  let number = lastNumber < i32.MAX_VALUE ? lastNumber + 1 : 1;
  while (numbered(number) != null) number++;
  describe(CREATED, number, 0);
  code = written(appendParts(head, RECORD_HEAD, name, bytes));
  if (code < 0) return code;
  add(file, number, name, bytes);
  return number;
}

function appendTo(number: i32, from: usize, bytes: i32): i32 {
  const file = existing(number);
  if (file == null) return E.CAP;
  if (bytes == 0) return 0;
  if (file.size + bytes < 0) return E.NONE;
  let code = makeRoom(sectorsOf(RECORD_HEAD + bytes), 1);
  if (code < 0) return code;
  describe(APPENDED, number, file.size);
  const position = appendParts(head, RECORD_HEAD, from, bytes);
  code = written(position);
  if (code < 0) return code;
  addPiece(file, position, bytes);
  return bytes;
}

function remove(number: i32): i32 {
  const file = existing(number);
  if (file == null) return E.CAP;
  const code = makeRoom(1, 0);
  // Where there is no room the log is written anew without it.
  if (code == E.NONE) {
    forget(file);
    return rewrite();
  }
  if (code < 0) return code;
  describe(REMOVED, number, 0);
  const ended = written(append(head, RECORD_HEAD));
  if (ended == 0) forget(file);
  return ended;
}

function read(number: i32, offset: i32, into: usize, most: i32): i32 {
  const file = existing(number);
  if (file == null) return E.CAP;
  let done = 0;
  let begins = 0;
  const end = offset + min(most, max(0, file.size - offset));
  for (let i = file.first; i >= 0 && begins < end; i = pieceAt(i).next) {
    const piece = pieceAt(i);
    const skip = max(0, offset - begins);
    const bytes = min(piece.bytes, end - begins) - skip;
    begins += piece.bytes;
    if (bytes <= 0) continue;
    const got = piece.position < 0 ? E.CODE : readRecord(piece.position, RECORD_HEAD + skip, into + done, bytes);
    if (got != bytes) return done > 0 && got == E.CODE ? done : got == E.CODE ? E.CODE : E.DEVICE;
    done += got;
  }
  return done;
}

function describe(kind: u32, number: i32, offset: i32): void {
  store<u32>(head, kind);
  store<i32>(head, number, 4);
  store<i32>(head, offset, 8);
}

// ---- Tables

function fileAt(i: i32): File {
  return changetype<File>(files + i * FILE_BYTES);
}

function pieceAt(i: i32): Piece {
  return changetype<Piece>(pieces + i * PIECE_BYTES);
}

function clear(): void {
  memory.fill(files, 0, FILES * FILE_BYTES);
  freePieces = 0;
  firstFree = -1;
  for (let i = PIECES - 1; i >= 0; i--) giveBack(i);
}

function giveBack(i: i32): void {
  pieceAt(i).next = firstFree;
  firstFree = i;
  freePieces++;
}

/** The file of a number; of 0, a place for one. */
function numbered(number: i32): File | null {
  for (let i = 0; i < FILES; i++) if (fileAt(i).number == number) return fileAt(i);
  return null;
}

function existing(number: i32): File | null {
  return number > 0 ? numbered(number) : null;
}

function named(name: usize, bytes: i32): File | null {
  for (let i = 0; i < FILES; i++) {
    const file = fileAt(i);
    if (file.number == 0 || file.nameBytes != bytes) continue;
    let same = 0;
    while (same < bytes && load<u8>(changetype<usize>(file) + FILE_NAME + same) == load<u8>(name + same)) same++;
    if (same == bytes) return file;
  }
  return null;
}

function add(file: File, number: i32, name: usize, bytes: i32): void {
  file.number = number;
  file.size = 0;
  file.first = file.last = -1;
  file.nameBytes = bytes;
  memory.fill(changetype<usize>(file) + FILE_NAME, 0, FILE_NAME_MOST);
  memory.copy(changetype<usize>(file) + FILE_NAME, name, bytes);
  lastNumber = max(lastNumber, number);
}

function addPiece(file: File, position: i32, bytes: i32): void {
  if (firstFree < 0) return;
  const i = firstFree;
  const piece = pieceAt(i);
  firstFree = piece.next;
  freePieces--;
  piece.position = position;
  piece.bytes = bytes;
  piece.next = -1;
  if (file.last < 0) file.first = i;
  else pieceAt(file.last).next = i;
  file.last = i;
  file.size += bytes;
}

function forget(file: File): void {
  for (let i = file.first; i >= 0;) {
    const next = pieceAt(i).next;
    giveBack(i);
    i = next;
  }
  file.number = 0;
}

/** A record of the log, when it is opened. */
function found(position: i32, record: usize, length: i32): void {
  if (length < RECORD_HEAD) return;
  const kind = load<u32>(record);
  const number = load<i32>(record, 4);
  const offset = load<i32>(record, 8);
  const bytes = length - RECORD_HEAD;
  if (number <= 0) return;
  const file = numbered(number);
  if (kind == CREATED) {
    const place = numbered(0);
    if (file != null || place == null || bytes < 1 || bytes > FILE_NAME_MOST) return;
    add(place, number, record + RECORD_HEAD, bytes);
    return;
  }
  if (file == null) return;
  if (kind == REMOVED) forget(file);
  // The log takes longer records than files write; another may have written what is on the disk.
  if (kind != APPENDED || offset < file.size || bytes < 1 || bytes > FILE_APPEND_MOST || offset + bytes < 0) return;
  if (offset > file.size) addPiece(file, -1, offset - file.size);
  addPiece(file, position, bytes);
}

// ---- Room

/** Room for so many sectors and pieces, if need be by writing the log anew. */
function makeRoom(sectors: i32, wanted: i32): i32 {
  if (logRoom() >= sectors && freePieces >= wanted) return 0;
  let needed = sectors;
  let kept = wanted;
  for (let i = 0; i < FILES; i++) {
    const file = fileAt(i);
    if (file.number == 0) continue;
    needed += sectorsOf(RECORD_HEAD + file.nameBytes);
    let bytes = 0;
    for (let p = file.first; p >= 0; p = pieceAt(p).next) {
      const piece = pieceAt(p);
      const lost = piece.position < 0;
      if (bytes > 0 && (lost || bytes + piece.bytes > FILE_APPEND_MOST)) {
        needed += sectorsOf(RECORD_HEAD + bytes);
        bytes = 0;
      }
      if (lost || bytes == 0) kept++;
      if (!lost) bytes += piece.bytes;
    }
    if (bytes > 0) needed += sectorsOf(RECORD_HEAD + bytes);
  }
  return needed > logSectors() || kept > PIECES ? E.NONE : rewrite();
}

/** Writes the files to the other half. After an error they are read from the disk again. */
function rewrite(): i32 {
  let code = beginRewrite();
  for (let i = 0; i < FILES && code >= 0; i++) {
    const file = fileAt(i);
    if (file.number == 0) continue;
    describe(CREATED, file.number, 0);
    code = appendParts(head, RECORD_HEAD, changetype<usize>(file) + FILE_NAME, file.nameBytes);
    if (code >= 0) code = rewritePieces(file);
  }
  if (code >= 0) code = commitRewrite();
  return code < 0 ? E.DEVICE : 0;
}

/** Pieces that follow each other become one, as far as one append may be long. */
function rewritePieces(file: File): i32 {
  let offset = 0;
  // The piece that takes up others, −1: none; where it begins, and how long it is.
  let into = -1;
  let begins = 0;
  let bytes = 0;
  for (let i = file.first; i >= 0;) {
    const piece = pieceAt(i);
    const next = piece.next;
    const length = piece.bytes;
    if (into >= 0 && (piece.position < 0 || bytes + length > FILE_APPEND_MOST)) {
      const code = put(file, into, begins, bytes);
      if (code < 0) return code;
      into = -1;
    }
    const at = into < 0 ? 0 : bytes;
    const got = piece.position < 0 ? E.CODE : readRecord(piece.position, RECORD_HEAD, scratch + at, length);
    if (got == E.CODE) {
      if (into >= 0) {
        const code = put(file, into, begins, bytes);
        if (code < 0) return code;
      }
      into = -1;
      piece.position = -1;
    } else if (got != length) {
      return E.DEVICE;
    } else if (into < 0) {
      into = i;
      begins = offset;
      bytes = length;
    } else {
      bytes += length;
      pieceAt(into).next = next;
      if (next < 0) file.last = into;
      giveBack(i);
    }
    offset += length;
    i = next;
  }
  return into < 0 ? 0 : put(file, into, begins, bytes);
}

function put(file: File, into: i32, begins: i32, bytes: i32): i32 {
  describe(APPENDED, file.number, begins);
  const position = appendParts(head, RECORD_HEAD, scratch, bytes);
  if (position < 0) return position;
  pieceAt(into).position = position;
  pieceAt(into).bytes = bytes;
  return 0;
}
