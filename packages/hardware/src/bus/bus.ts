/**
 * The bus: which device answers at which physical address.
 *
 * A device sees whole words: `read` gets a word-aligned offset, `write` also a mask of the byte lanes that the store
 * drives. An address at which nothing answers is the CPU's to report (a bus error, or a write timeout).
 */

/** What a device offers the bus. */
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

/** The devices of a machine, each in a 16 MB slot of its own. */
export class Bus {
  readonly #slots: (Device | undefined)[] = Array.from({ length: 256 }, () => undefined);
  /** Called with the physical address of a store that nothing takes; it has left the CPU, so no exception is precise. */
  writeTimeout: (physical: number) => void = () => undefined;

  attach(device: Device): void {
    this.#slots[device.base >>> 24] = device;
  }

  /** The device at this physical address (unsigned). */
  find(physical: number): Device | undefined {
    const device = this.#slots[physical >>> 24];
    return device !== undefined && physical - device.base < device.bytes ? device : undefined;
  }
}
