/**
 * A capture as a pcapng file, which Wireshark and its kin read: bytes out, nothing else.
 *
 * Each network is an interface. Times are nanoseconds from the second that the interface names. Frames are Ethernet's,
 * without FCS; one that was damaged on its way says so. Source: [PCAPNG].
 */
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const LINK_ETHERNET = 1;

const END_OF_OPTIONS = 0;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const NANOSECONDS = 9;
const SHB_USERAPPL = 4;
const EPB_FLAGS = 2;
const FLAG_CRC_ERROR = 0x01000000;

/** One interface of a capture. */
export interface CaptureInterface {
  /** Printable ASCII. */
  readonly name: string;
  /** What time 0 is, in seconds since 1970, an integer from 0 up to 2^32. Default 0. */
  readonly epoch?: number;
}

/** A capture under way. Little-endian. */
export class PcapngWriter {
  readonly #write: (bytes: Uint8Array) => void;
  #interfaces = 0;

  /** `write` gets the file's bytes, block by block, beginning now with the section header. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
    const options = [option(SHB_USERAPPL, ascii('@exokernel/capture')), option(END_OF_OPTIONS, [])].flat();
    // Version 1.0; the section's length is not known.
    this.#block(SECTION_HEADER, [...u32(BYTE_ORDER), ...u16(1), ...u16(0), ...u32(-1), ...u32(-1), ...options]);
  }

  /** Adds an interface; returns its number. */
  addInterface({ name, epoch = 0 }: CaptureInterface): number {
    const options = [
      option(IF_NAME, ascii(name)),
      option(IF_TSRESOL, [NANOSECONDS]),
      option(IF_TSOFFSET, [...u32(epoch), ...u32(0)]),
      option(END_OF_OPTIONS, []),
    ].flat();
    this.#block(INTERFACE_DESCRIPTION, [...u16(LINK_ETHERNET), ...u16(0), ...u32(0), ...options]);
    this.#interfaces += 1;
    return this.#interfaces - 1;
  }

  /** Adds a frame to an interface. `time` in nanoseconds. */
  addFrame(to: number, frame: Uint8Array, time: number, damaged = false): void {
    const at = Math.round(time);
    const flags = damaged ? [...option(EPB_FLAGS, u32(FLAG_CRC_ERROR)), ...option(END_OF_OPTIONS, [])] : [];
    const length = u32(frame.length);
    const head = [...u32(to), ...u32(Math.floor(at / 2 ** 32)), ...u32(at % 2 ** 32), ...length, ...length];
    const padded = (frame.length + 3) & ~3;
    const body = new Uint8Array(head.length + padded + flags.length);
    body.set(head);
    body.set(frame, head.length);
    body.set(flags, head.length + padded);
    this.#block(ENHANCED_PACKET, body);
  }

  #block(type: number, body: ArrayLike<number>): void {
    const length = 12 + body.length;
    const bytes = new Uint8Array(length);
    bytes.set(u32(type));
    bytes.set(u32(length), 4);
    bytes.set(body, 8);
    bytes.set(u32(length), length - 4);
    this.#write(bytes);
  }
}

function u16(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value), ...u16(value >>> 16)];
}

function ascii(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0) & 0x7f);
}

/** Code, length, and the value, padded to whole words. */
function option(code: number, value: readonly number[]): number[] {
  const padding = -value.length & 3;
  return [...u16(code), ...u16(value.length), ...value, ...Array.from({ length: padding }, () => 0)];
}
