/**
 * The bus: which device answers at which physical address.
 *
 * A device sees whole words: `read` gets a word-aligned offset, `write` also a mask of the byte lanes that the store
 * drives. An address at which nothing answers is the CPU's to report (a bus error, or a write timeout).
 */
import { HardwareError } from '../error.ts';

/** The registers of a device, as the bus sees them. */
export interface Device {
  /** Physical address of its first register; its top byte selects the device. */
  readonly base: number;
  /** Size of its window in bytes. */
  readonly bytes: number;
  /** The word at a word-aligned offset, as an int32. May have side effects. */
  read(offset: number): number;
  /** Stores the bits of `value` that `mask` selects. */
  write(offset: number, value: number, mask: number): void;
}

/** A slot is the 16 MB that a top byte selects. */
const SLOT_SHIFT = 24;

/** The devices of a machine, each in a 16 MB slot of its own. */
export class Bus {
  readonly #slots: (Device | undefined)[] = Array.from({ length: 256 }, () => undefined);
  /** The name of each slot's owner. */
  readonly #owners = new Map<number, string>();
  /** Called with the physical address of a store that nothing takes; it has left the CPU, so no exception is precise. */
  writeTimeout: (physical: number) => void = () => undefined;

  /** Puts the registers of a device on the bus. Throws `bus-slot` if its slot is another's. */
  attach(owner: string, device: Device): void {
    this.reserve(owner, device.base);
    this.#slots[device.base >>> SLOT_SHIFT] = device;
  }

  /** Makes the slot of a physical address that of `owner`, whose memory is there. Throws `bus-slot` if it is another's. */
  reserve(owner: string, physical: number): void {
    const slot = physical >>> SLOT_SHIFT;
    const other = this.#owners.get(slot);
    if (other !== undefined && other !== owner) {
      const where = `0x${(slot << SLOT_SHIFT).toString(16)}`;
      throw new HardwareError('bus-slot', `${owner} cannot be at ${where}: ${other} is there`, { owner, other, slot });
    }
    this.#owners.set(slot, owner);
  }

  /** The device at this physical address (unsigned). */
  find(physical: number): Device | undefined {
    const device = this.#slots[physical >>> SLOT_SHIFT];
    return device !== undefined && physical - device.base < device.bytes ? device : undefined;
  }
}
