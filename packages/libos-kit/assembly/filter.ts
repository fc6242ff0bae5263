/** Packet filters, as filter_bind wants them: a list of tests of fields, of which all must hold. [DPF96] */
import { E } from './abi';
import { filterBind } from './calls';
import { Capability } from './capability';

/** Kinds of atoms. */
const EQ = 0;
const MEQ = 1;
const SHIFT = 2;
/** Where its length is kept: behind what a filter may be. */
const LENGTH: u32 = 2048;

/**
 * A filter under way, at the beginning of a page of this environment's. Sizes of fields are 1, 2 or 4 bytes. Values and masks are numbers, whose high byte
 * comes first in the packet: `eq(12, 2, 0x0800)` is IPv4. A word as it lies in memory is `bswap` of that.
 */
@unmanaged
export class Filter {
  /** Begins one at an address. It has room for a page; the kernel refuses one that is too long. */
  static at(page: usize): Filter {
    // 'D', version 1, no atoms yet.
    store<u32>(page, 0x0144);
    store<u32>(page, 4, LENGTH);
    return changetype<Filter>(page);
  }

  /** The field at an offset of the packet has a value: the number that its bytes are, the high byte first. */
  eq(offset: u32, size: u32, value: u32): Filter {
    return this.atom(EQ, offset, size).word(value);
  }

  /** The bits of the field that are in the mask have a value. */
  masked(offset: u32, size: u32, mask: u32, value: u32): Filter {
    return this.atom(MEQ, offset, size).word(mask).word(value);
  }

  /** What follows has offsets behind `(field & mask) << shift` bytes more. */
  skip(offset: u32, size: u32, mask: u32, shift: u32): Filter {
    return this.atom(SHIFT, offset, size).word(mask).byte(shift);
  }

  /** Downloads it. Results: filter, capability (four words). Errors: as filter_bind. */
  bind(frame: Capability, ring: Capability, policy: i32, results: usize): i32 {
    const bytes = load<u32>(changetype<usize>(this), LENGTH);
    return bytes > LENGTH ? E.RANGE : filterBind(frame, ring, bytes, policy, results);
  }

  private atom(kind: u32, offset: u32, size: u32): Filter {
    const at = changetype<usize>(this);
    store<u8>(at, load<u8>(at, 3) + 1, 3);
    return this.byte(kind)
      .byte(size)
      .byte(offset >>> 8)
      .byte(offset);
  }

  private word(value: u32): Filter {
    return this.byte(value >>> 24)
      .byte(value >>> 16)
      .byte(value >>> 8)
      .byte(value);
  }

  private byte(value: u32): Filter {
    const at = changetype<usize>(this);
    const length = load<u32>(at, LENGTH);
    if (length < LENGTH) store<u8>(at + length, <u8>value);
    store<u32>(at, length + 1, LENGTH);
    return this;
  }
}
