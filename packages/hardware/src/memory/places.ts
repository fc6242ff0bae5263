/**
 * Where everything lies in the one WebAssembly memory of a machine, in bytes.
 *
 *     0x000000 the CPU's state (`cpu-state.ts`)
 *     0x010000 the LANCE's buffer memory, 64 KB
 *     0x020000 the boot PROM, 256 KB
 *     0x060000 tags of the data cache, then of the instruction cache, 64 KB each (`timing/`)
 *     0x080000 what isolated stores left in the caches, 64 KB each
 *     0x100000 the translator's tables, 2 MB (`translator/layout.ts`)
 *     0x300000 guest RAM
 *     then     memory of devices that are attached with some, each on a boundary of 64 KB
 *     then     flat page tables, 5 banks of 4 MB (`page-tables.ts`)
 */

export const LANCE_HOST = 0x10000;
export const PROM_HOST = 0x20000;
export const DATA_TAGS_HOST = 0x60000;
export const INSTRUCTION_TAGS_HOST = 0x70000;
export const ISOLATED_HOST = 0x80000;
/** Behind the caches' words. */
export const CACHES_END_HOST = 0xa0000;
export const TRANSLATOR_HOST = 0x100000;
/** A multiple of every cache's size, as the places of devices' memory are: a place indexes a cache as its physical address does. */
export const RAM_HOST = 0x300000;

/** Entries of one bank of the page tables: one for each 4 KB page of the virtual address space. */
export const BANK_ENTRIES = 0x100000;
export const BANKS = 5;

/** Physical address of the LANCE's buffer memory, and its size. */
export const LANCE_MEMORY = 0x19000000;
export const LANCE_MEMORY_BYTES = 0x10000;

/** Physical address of the boot PROM, which the CPU only reads, and its size. */
export const PROM = 0x1fc00000;
export const PROM_BYTES = 0x40000;
