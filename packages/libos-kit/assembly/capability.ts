/** Capabilities, where they lie in memory. */

/** Four words that only the kernel can make. It is a structure at an address: `changetype<Capability>(address)`. */
@unmanaged
export class Capability {
  /** Its kind, its rights, and the node of the tree of capabilities. */
  head: u32;
  /** The resource. */
  name: u32;
  mac0: u32;
  mac1: u32;

  /** Copies another one here. */
  set(other: Capability): void {
    this.head = other.head;
    this.name = other.name;
    this.mac0 = other.mac0;
    this.mac1 = other.mac1;
  }

  /** Makes it one that names nothing; of an environment it names the caller. */
  clear(): void {
    this.head = 0;
    this.name = 0;
    this.mac0 = 0;
    this.mac1 = 0;
  }
}

/** The capability at an address. */
export function capabilityAt(address: usize): Capability {
  return changetype<Capability>(address);
}

/** The null capability. */
export const NONE: Capability = capabilityAt(memory.data(16));
