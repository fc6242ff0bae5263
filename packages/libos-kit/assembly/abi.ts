/** The contract between kernel and applications, and where the kit keeps its words. Made from `abi` and `layout.ts`: do not change it here. */
/** Bytes of a page. */
export const PAGE_BYTES: i32 = 4096;
/** Ticks of a second. */
export const TICKS_PER_SECOND: i32 = 64;
/** Bytes of the record of an environment. */
export const ENV_BYTES: i32 = 512;
/** Bytes of a slot of a packet ring. */
export const RING_SLOT_BYTES: i32 = 64;
/** Slots of a packet ring, at most. */
export const RING_SLOT_LIMIT: i32 = 32;
/** Bytes of a slot of a message ring. */
export const MESSAGE_BYTES: i32 = 64;
/** Bytes of an entry of a repossession vector. */
export const REPOSSESSION_BYTES: i32 = 64;
/** Entries of a repossession vector. */
export const REPOSSESSION_ENTRIES: i32 = 64;
/** Completion words of the u-page. */
export const COMPLETION_SLOTS: i32 = 16;
/** Bytes of a record of the disk's queue. */
export const REQUEST_BYTES: i32 = 32;
/** Records of the disk's queue. */
export const REQUEST_LIMIT: i32 = 128;
/** Bytes of an entry of the list of disk_request. */
export const TRANSFER_BYTES: i32 = 20;
/** Entries of the list of disk_request, at most. */
export const TRANSFER_LIMIT: i32 = 64;
/** Bytes of a page-table entry. */
export const PTE_BYTES: i32 = 16;
/** Pages of the kit's region. */
export const PAGED_PAGES: i32 = 1024;
/** Error codes, which calls give. */
export namespace E {
  export const OK: i32 = 0;
  export const CALL: i32 = -1;
  export const CAP: i32 = -2;
  export const RANGE: i32 = -3;
  export const BUSY: i32 = -4;
  export const NONE: i32 = -5;
  export const ENV: i32 = -6;
  export const AGAIN: i32 = -7;
  export const SLICE: i32 = -8;
  export const CODE: i32 = -9;
  export const OVERLAP: i32 = -10;
  export const DEVICE: i32 = -11;
}
/** Causes of exceptions. */
export namespace EXCEPTION {
  export const interrupt: i32 = 0;
  export const mod: i32 = 1;
  export const tlbl: i32 = 2;
  export const tlbs: i32 = 3;
  export const adel: i32 = 4;
  export const ades: i32 = 5;
  export const ibe: i32 = 6;
  export const dbe: i32 = 7;
  export const syscall: i32 = 8;
  export const breakpoint: i32 = 9;
  export const reserved: i32 = 0xa;
  export const coprocessor: i32 = 0xb;
  export const overflow: i32 = 0xc;
  export const floatingPoint: i32 = 0xf;
}
/** Bits of EntryLo. */
export namespace ENTRYLO {
  export const noncached: i32 = 0x800;
  export const dirty: i32 = 0x400;
  export const valid: i32 = 0x200;
}
/** Bits of the first word of a page-table entry that the hardware ignores. */
export namespace PTE_SOFT {
  export const zeroFill: i32 = 1;
  export const copyOnWrite: i32 = 2;
  export const shared: i32 = 4;
  export const clean: i32 = 8;
  export const guarded: i32 = 0x10;
}
/** Words of a page-table entry: EntryLo, then those of a capability but for the name. */
export namespace PTE {
  export const entryLo: i32 = 0;
  export const head: i32 = 4;
  export const mac0: i32 = 8;
  export const mac1: i32 = 0xc;
}
/** Words of the u-page: offsets from its beginning. */
export namespace U {
  export const exceptionSave: i32 = 0;
  export const interruptSave: i32 = 0x100;
  export const completion: i32 = 0x110;
  export const revokeFrames: i32 = 0x150;
  export const revokeSlices: i32 = 0x154;
  export const revokeDeadline: i32 = 0x158;
  export const lost: i32 = 0x15c;
  export const user: i32 = 0x180;
}
/** The kit's words in the u-page: addresses. */
export namespace UKIT {
  export const context: i32 = 0x1180;
  export const contextHi: i32 = 0x1200;
  export const contextLo: i32 = 0x1204;
  export const contextPc: i32 = 0x1208;
  export const resumePc: i32 = 0x120c;
  export const criticalDepth: i32 = 0x1210;
  export const criticalInterrupted: i32 = 0x1214;
  export const epc: i32 = 0x1240;
  export const faultSave: i32 = 0x1280;
  export const upcallSave: i32 = 0x1298;
  export const upcallPc: i32 = 0x12a4;
  export const upcallArguments: i32 = 0x12a8;
  export const upcallWhich: i32 = 0x12b0;
  export const told: i32 = 0x12b4;
  export const upcalls: i32 = 0x12b8;
  export const library: i32 = 0x12cc;
  export const main: i32 = 0x12d0;
  export const extentBlocks: i32 = 0x12d8;
  export const float: i32 = 0x12d4;
  export const sliceUpcalls: i32 = 0x12dc;
  export const backing: i32 = 0x12e0;
  export const backingSave: i32 = 0x12e4;
  export const floatSave: i32 = 0x1e00;
  export const self: i32 = 0x1300;
  export const serial: i32 = 0x1310;
  export const extent: i32 = 0x1320;
  export const uPageCapability: i32 = 0x1330;
  export const segments: i32 = 0x1340;
  export const exitCode: i32 = 0x13c0;
  export const net: i32 = 0x13d0;
  export const failed: i32 = 0x13e0;
  export const station: i32 = 0x13e4;
  export const libos: i32 = 0x1400;
}
/** Numbers of upcalls. */
export namespace UPCALL {
  export const fault: i32 = 0;
  export const exception: i32 = 1;
  export const revoke: i32 = 2;
  export const begin: i32 = 3;
  export const end: i32 = 4;
}
/** Addresses of the kit's regions. */
export namespace PLACE {
  export const uPage: i32 = 0x1000;
  export const pageTable: i32 = 0x4000;
  export const upcallStack: i32 = 0x9000;
  export const paged: i32 = 0x400000;
  export const pagedEnd: i32 = 0x800000;
  export const libraryText: i32 = 0x7a0000;
  export const libraryMemory: i32 = 0x7c0000;
  export const windows: i32 = 0x7f0000;
  export const vector: i32 = 0xc000;
}
/** Words of the record of an environment: offsets. */
export namespace ENV {
  export const id: i32 = 0;
  export const status: i32 = 4;
  export const asid: i32 = 8;
  export const uPage: i32 = 0xc;
  export const asleep: i32 = 0x10;
  export const prologue: i32 = 0x14;
  export const epilogue: i32 = 0x18;
  export const syncEntry: i32 = 0x1c;
  export const asyncEntry: i32 = 0x20;
  export const credit: i32 = 0x24;
  export const wakeTick: i32 = 0x28;
  export const pending: i32 = 0x2c;
  export const slices: i32 = 0x30;
  export const stlbMisses: i32 = 0x34;
  export const tlbUpcalls: i32 = 0x38;
  export const packetsIn: i32 = 0x3c;
  export const packetsOut: i32 = 0x40;
  export const packetsDropped: i32 = 0x44;
  export const parent: i32 = 0x48;
  export const family: i32 = 0x4c;
  export const death: i32 = 0x50;
  export const xmitBusy: i32 = 0x54;
  export const exit: i32 = 0x58;
  export const exceptionPc: i32 = 0x60;
  export const guaranteed: i32 = 0xa0;
  export const guaranteedEnd: i32 = 0x120;
  export const syncGate: i32 = 0x130;
  export const asyncGate: i32 = 0x134;
  export const dispatched: i32 = 0x138;
  export const begin: i32 = 0x13c;
  export const publicPage: i32 = 0x140;
  export const repossession: i32 = 0x144;
  export const frames: i32 = 0x148;
  export const frameLimit: i32 = 0x14c;
  export const frameTarget: i32 = 0x150;
  export const sliceTarget: i32 = 0x154;
  export const revokeDeadline: i32 = 0x158;
  export const lost: i32 = 0x15c;
  export const name: i32 = 0x160;
  export const readAgain: i32 = 0x164;
  export const prepaid: i32 = 0x168;
  export const repeated: i32 = 0x16c;
  export const predicate: i32 = 0x180;
  export const predicateActivation: i32 = 0x184;
  export const wakeTag: i32 = 0x188;
  export const messageRing: i32 = 0x18c;
  export const messageNext: i32 = 0x190;
  export const borrowed: i32 = 0x194;
  export const fpu: i32 = 0x198;
  export const generation: i32 = 0x1b8;
  export const guaranteedNode: i32 = 0x1c0;
}
/** States of an environment. */
export namespace ENV_STATUS {
  export const free: i32 = 0;
  export const embryo: i32 = 1;
  export const runnable: i32 = 2;
  export const dead: i32 = 3;
}
/** Words of the record of a frame: offsets. */
export namespace FRAME {
  export const owner: i32 = 0;
  export const holders: i32 = 4;
  export const generation: i32 = 8;
  export const pins: i32 = 0xc;
}
/** Words of an entry of the slice vector: offsets. */
export namespace SLICE {
  export const owner: i32 = 0;
  export const running: i32 = 4;
  export const generation: i32 = 8;
  export const credit: i32 = 0xc;
  export const passed: i32 = 0x10;
}
/** Words of a slot of a packet ring: offsets. */
export namespace RING_SLOT {
  export const length: i32 = 0;
  export const filter: i32 = 4;
  export const completion: i32 = 4;
  export const buffers: i32 = 8;
}
/** Words of a slot of a message ring: offsets. */
export namespace MESSAGE {
  export const sender: i32 = 0;
  export const words: i32 = 4;
}
/** What becomes of packets that several filters accept. */
export namespace POLICY {
  export const specific: i32 = 0;
  export const first: i32 = 1;
  export const refuse: i32 = 2;
  export const all: i32 = 3;
}
/** Words of the record of the machine: offsets. */
export namespace SYSTEM {
  export const tick: i32 = 0;
  export const ticksPerSecond: i32 = 4;
  export const hertz: i32 = 8;
  export const frames: i32 = 0xc;
  export const framesFree: i32 = 0x10;
  export const idles: i32 = 0x14;
  export const unclaimed: i32 = 0x18;
  export const unseen: i32 = 0x1c;
}
/** Words of the record of the disk: offsets. */
export namespace DISK {
  export const blocks: i32 = 0;
  export const arm: i32 = 4;
  export const cylinders: i32 = 8;
  export const sectorsPerCylinder: i32 = 0xc;
  export const requests: i32 = 0x10;
}
/** Words of a record of the disk's queue: offsets. */
export namespace REQUEST {
  export const env: i32 = 0;
  export const block: i32 = 4;
  export const count: i32 = 8;
  export const write: i32 = 0xc;
  export const sequence: i32 = 0x10;
  export const begun: i32 = 0x14;
}
/** Words of an entry of the list of disk_request: offsets. */
export namespace TRANSFER {
  export const frame: i32 = 0;
  export const block: i32 = 0x10;
}
/** Words of the record of an extent: offsets. */
export namespace EXTENT {
  export const owner: i32 = 0;
  export const start: i32 = 4;
  export const blocks: i32 = 8;
  export const generation: i32 = 0x18;
}
/** Words of an entry of a repossession vector: offsets. */
export namespace REPOSSESSION {
  export const state: i32 = 0;
  export const kind: i32 = 4;
  export const name: i32 = 8;
  export const extent: i32 = 0x10;
  export const block: i32 = 0x20;
}
/** States of an entry of a repossession vector. */
export namespace REPOSSESSION_STATE {
  export const empty: i32 = 0;
  export const preloaded: i32 = 1;
  export const saving: i32 = 2;
  export const saved: i32 = 3;
  export const lost: i32 = 4;
}
/** What is revoked. */
export namespace REVOKE {
  export const frames: i32 = 0;
  export const slices: i32 = 1;
}
/** Comparisons of a wakeup predicate. */
export namespace PREDICATE_OPERATOR {
  export const eq: i32 = 0;
  export const ne: i32 = 1;
  export const lt: i32 = 2;
  export const le: i32 = 3;
  export const gt: i32 = 4;
  export const ge: i32 = 5;
}
/** Rights of a capability. */
export namespace RIGHT {
  export const read: i32 = 1;
  export const write: i32 = 2;
  export const control: i32 = 4;
}
/** The kernel's exposed tables: physical addresses. */
export namespace EXPOSED {
  export const stlb: i32 = 0x10000;
  export const nodes: i32 = 0x1a000;
  export const environments: i32 = 0x20000;
  export const frames: i32 = 0x30000;
  export const slices: i32 = 0x9c000;
  export const disk: i32 = 0x9d000;
  export const requests: i32 = 0x9e000;
  export const extents: i32 = 0x9f000;
  export const rings: i32 = 0xa0000;
  export const filters: i32 = 0xb0000;
  export const filterCode: i32 = 0xb4000;
  export const system: i32 = 0x9c800;
  export const buffers: i32 = 0xd8000;
}
/** The guard by which everyone may read what is exposed. */
export const WELL_KNOWN_READ0: u32 = 0x65786f6b;
export const WELL_KNOWN_READ1: u32 = 0x72656164;
