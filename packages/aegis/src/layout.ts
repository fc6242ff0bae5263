/**
 * Where the kernel's things lie in physical memory, and the fields of the kernel page.
 *
 * Everything below `FIRST_FREE_FRAME` belongs to the kernel. What lies where EXPOSED of `abi` says may be mapped
 * read-only by every environment; the rest may hold secrets. What machine code reaches with one `lui` starts on a 64 KiB
 * boundary. The tables that only the kernel's TypeScript uses lie at the end of memory (tables.ts).
 */
import { CALL_LIMIT, EXPOSED, FILTER_BYTES, RING_BYTES } from '@exokernel/abi';
import { KSEG0 } from '@exokernel/isa';

export { KSEG0 };

/** What the kernel alone reads and writes. */
const SECRET = {
  /** Both exception vectors. */
  vectors: 0x0000,
  /** The kernel page, mapped at the top of kseg2 (see KERNEL_PAGE). */
  kernelPage: 0x1000,
  /** Kernel text. */
  text: 0x2000,
  /** Virtqueue and requests of the disk driver. */
  diskQueue: 0x18000,
  diskRequests: 0x19000,
  /** Per frame: the MAC words of its read-write and of its read capability. */
  frameAuth: 0x60000,
  /** Compiled wakeup predicates. */
  predicates: 0x90000,
  /** The compiled filters: who wins, then who gets copies; their activation records; ids of the filters that get copies. */
  demux: 0xc0000,
  demuxActivation: 0xd7000,
  copiesActivation: 0xd7200,
  copies: 0xd7400,
  /** Handlers: code, activation record, reply buffer each. */
  handlers: 0xe0000,
} as const;

/** Everything: the tables that all may read lie where `abi` says. */
export const PHYSICAL: typeof EXPOSED & typeof SECRET = { ...EXPOSED, ...SECRET };

/** kseg0 address of the exposed record of the machine as a whole. */
export const SYSTEM_TABLE: number = KSEG0 + PHYSICAL.system;

/** How the space of one handler is divided, in bytes. */
export const HANDLER = { bytes: 0x2000, code: 0, activation: 0x1800, reply: 0x1a00, replyBytes: 0x600 } as const;
export const HANDLER_LIMIT = 16;

/** How the space of one wakeup predicate is divided, in bytes; the fuel of an evaluation, in instructions. */
export const PREDICATE_SLOT = { bytes: 0x300, activation: 0x280 } as const;
export const PREDICATE_LIMIT = 64;
export const PREDICATE_FUEL = 1000;

export const FIRST_FREE_FRAME = 0x100;

export const KERNEL_PAGE_VA = 0xfffff000;

/**
 * Fields of the kernel page: kseg2's last page, wired in TLB entry 0, so that kernel code reaches it with a negative
 * offset from `$zero` and needs no base register. The numbers are those offsets.
 */
export const KP = {
  /** Handler by ExcCode, 16 words. */
  exceptions: -0x1000,
  /** Handler by call number. */
  calls: -0xfc0,
  /** Record of the running environment. */
  env: -0xec0,
  /** Entry of the slice vector that a synchronous transfer donates; `noSlice` when it is not the caller's to donate. */
  slice: -0xebc,
  /** Address of `sliceDummy`, which also pays for what runs in no slice: interrupts while the machine idles. */
  noSlice: -0xeb8,
  /** Byte offset of the current position in the slice vector, and the vector's length in bytes. */
  position: -0xea8,
  vectorBytes: -0xea4,
  tick: -0xea0,
  /** The tick of the end-of-slice upcall, until the switch; else 0. */
  ending: -0xe9c,
  /** Set by a native call after which the caller cannot go on (1), or has to pay the rest first (2). */
  reschedule: -0xe98,
  /** Number of frames. */
  frames: -0xe94,
  /** Saved while the kernel works. */
  epc: -0xe90,
  k1: -0xe8c,
  t0: -0xe88,
  t1: -0xe84,
  t2: -0xe80,
  /** Why an environment is being killed: a code of DEATHS, ExcCode in bits 8 to 15. */
  death: -0xe7c,
  /** Next receive and transmit descriptor, as byte offsets. */
  receiveIndex: -0xe78,
  transmitIndex: -0xe74,
  /** Entry of the compiled filters, or 0; and their activation record. */
  demux: -0xe70,
  demuxActivation: -0xe6c,
  /** Non-zero: there is a network controller. */
  lance: -0xe64,
  /** The caller's, while a call that needs the kernel's stack is executed. */
  userSp: -0xe5c,
  userRa: -0xe58,
  /** Tick of the next deadline of a revocation; 0: none. */
  revokeTick: -0xe54,
  /** Record of the environment whose values the floating-point registers hold, or 0; FCR31 of its last exception. */
  fpuOwner: -0xe50,
  fpuControl: -0xe4c,
  /** 32 registers, HI and LO of what an interrupt interrupted. */
  saved: -0xe40,
  savedHi: -0xdc0,
  savedLo: -0xdbc,
  /** Cycles that packets from outside have taken in interrupts that paused, in the tick that began in this cycle. */
  arrivals: -0xdb8,
  arrivalsTick: -0xdb4,
  /** First ring that is a tap, or 0. */
  tap: -0xd00,
  /** Entry of the compiled filters that get copies, or 0. */
  copies: -0xcfc,
  /** The station's address: four bytes, then two. */
  station: -0xcf8,
  /** Return address of `transmit.send`. */
  sendReturn: -0xcec,
  /** A packet that was sent and is still wanted here, by taps or by this machine itself: its address, and its length or 0. */
  ownPacket: -0xce4,
  ownLength: -0xce0,
  /** How many have come back as answers of answers; how many were not delivered because these were too many. */
  loops: -0xcdc,
  loopsDropped: -0xcd8,
  /** A record of a slice that is in no vector: where a transfer writes when there is no slice to donate. */
  sliceDummy: -0xcd0,
  /** The slice that pays for what runs, and the cycle up to which it has paid. */
  payer: -0xcc0,
  paid: -0xcbc,
  /** Cycles of a slice, from tick to tick, rounded up; the cycle of the last tick. */
  quantum: -0xcb8,
  due: -0xcb4,
  /** The cycle in which a device's interrupt began. */
  interrupted: -0xcb0,
  /** Up to which cycle an interrupt of a device has been charged. */
  charged: -0xcac,
  /** Address of the word that an interrupt's cycles are taken from, a credit; 0: none. */
  claimant: -0xca8,
  /** Cycles that are left in this tick for packets that no environment can pay for, and how many a tick has. */
  unpayable: -0xca4,
  unpayableLimit: -0xca0,
  /** What enables the controller's interrupts: INEA, or 0 until the next tick. */
  inea: -0xc9c,
  /** Packets: where the machine code goes on in the next interrupt, or 0; what s0, s3, s4, s5 and `claimant` are then. */
  packetResume: -0xc94,
  packetS0: -0xc90,
  packetS3: -0xc8c,
  packetS4: -0xc88,
  packetS5: -0xc84,
  packetClaimant: -0xc80,
  /** Of `ownPacket`: the record of its sender; 1 if it is for this machine itself; the first tap to see it, or 0. */
  ownSender: -0xc78,
  ownHere: -0xc74,
  ownTap: -0xc70,
  /** Of a packet from this machine that is being delivered: the record of its sender, and the word that pays; 0: of no other packet. */
  sender: -0xc6c,
  senderPays: -0xc68,
  /** Where the kernel goes on when an interrupt has interrupted itself: `schedule`, but while it ends an environment. */
  resume: -0xb80,
  /** Set by `kill`: 1 if the environment that ends has to pay more first. */
  again: -0xb7c,
  /** Cycles of a call of TypeScript that are still to be paid, in pieces; while they are, the caller's t0 to t2, k1 and Status. */
  rest: -0xb78,
  restT0: -0xb74,
  restT1: -0xb70,
  restT2: -0xb64,
  restK1: -0xb60,
  restStatus: -0xb5c,
  /** kseg0 address of the records of families. */
  families: -0xb58,
  /** Of each buffer to send from, the family that has used it last: 16 words. */
  transmitFamilies: -0xb40,
  /** The same of deadlines of revocation, a piece a tick (revocation-rests.ts), and who pays for the one under way. */
  revokeRest: -0xb6c,
  revokePayer: -0xb68,
} as const;

/** The kernel's stack grows down from here, within the kernel page. */
export const KERNEL_STACK_TOP = -0x10;

/** kseg0 address of a field of the kernel page. */
export function kernelPageAddress(field: number): number {
  return KSEG0 + PHYSICAL.kernelPage + (field + 0x1000);
}

if (KP.env - KP.calls < 4 * CALL_LIMIT) throw new RangeError('the dispatch table overlaps the kernel page fields');

/** Native functions of the kernel that are no system calls; the calls' own numbers lie below. */
export const NATIVE = {
  kill: 64,
  panic: 65,
  serialInterrupt: 66,
  diskInterrupt: 67,
  boot: 68,
  /** k1: the record of an environment that is about to be entered and has no ASID. */
  asid: 69,
  /** A frame's capability at tlbwr that is neither of the two that the machine code compares: v0 = 0 or E_CAP. */
  tlbwr: 70,
  /** k1: the record of an environment that is about to begin a slice and has no `begin`; k0 becomes where it begins, or 0. */
  begin: 71,
  /** A deadline of revocation has come. */
  revoke: 72,
  /** A piece of KP.rest is paid. */
  rest: 73,
  /** k1: a slice that the switch has come to, whose credit is lower than any debt; k0 becomes 1 if it begins. */
  redeem: 74,
} as const;

/** Status bits [KANE92 §6]. */
export const STATUS = { cu2: 0x40000000, cu1: 0x20000000, im: 0x3f00, kup: 0x8, iep: 0x4, iec: 0x1 } as const;
/** Cause.IP bits by device [KN01]; the two of software, by which the kernel goes on with what it has begun. */
export const INTERRUPT = {
  fpu: 0x8000,
  disk: 0x0400,
  lance: 0x0800,
  serial: 0x1000,
  clock: 0x2000,
  packets: 0x0100,
  blocks: 0x0200,
} as const;

/**
 * Status while an environment runs (after `rfe`): user mode, interrupts on, native unit usable. Written before the `rfe`,
 * hence the previous-mode bits.
 */
export const USER_STATUS: number = STATUS.cu2 | STATUS.im | STATUS.kup | STATUS.iep;
/** More of Status while an environment that uses the floating-point unit runs: usable, and its exceptions heard. */
export const FPU_STATUS: number = STATUS.cu1 | INTERRUPT.fpu;
/** Status while interrupts may come in the kernel: in its idle loop, and now and then in the scheduler (after `rfe`). */
export const IDLE_STATUS: number = STATUS.cu2 | STATUS.im | STATUS.iep;
/** Status in the kernel: interrupts off. The device lines stay unmasked. */
export const KERNEL_STATUS: number = STATUS.cu2 | STATUS.im;

/** log2 of the bytes of a ring's and a filter's record. */
export const RING_SHIFT: number = Math.log2(RING_BYTES);
export const FILTER_SHIFT: number = Math.log2(FILTER_BYTES);

/**
 * Cycles after which the kernel lets interrupts in, and goes on afterwards: between two steps of its work on packets. With the longest step that is a stretch of at most 20,000 cycles. Assumption: the latency that
 * [ASH96] and a controller with a few buffers put up with.
 */
export const PIECE_CYCLES = 6000;
/** What the controller's interrupt costs that tells of a packet sent, which its sender pays in advance. Assumption: 160 to 206 were measured. */
export const SENT_CYCLES = 210;
/** What a device's interrupt costs before its begin is read and after its end is. Assumption: 48 to 55 on the machines that there are. */
export const AROUND_CYCLES = 50;
/** The same in the search for an environment to run, which follows other work: of an environment's end, for example. */
export const SEARCH_CYCLES = 2000;
/** The longest step: cycles of one run of downloaded code at most, on the slowest of the machines. Assumption. */
export const STEP_CYCLES = 12_000;

/**
 * The time of the compiled filters, whose longest run is one step, in units of so many cycles: what all together may take, and what a family
 * is guaranteed. Assumption: a run takes 200 cycles around the filters, of which 71 were seen; the filter of a UDP endpoint takes 18 units.
 */
export const FILTER_TIME: { readonly unit: number; readonly total: number; readonly minimum: number } = {
  unit: 50,
  total: (STEP_CYCLES - 200) / 50,
  minimum: 18,
};

/** Packets that come back to this machine because of one packet, replies of handlers to handlers. Assumption. */
export const LOOPS_MAX = 16;

/** An environment that overruns its slice by more than so many others is destroyed [SOSP95 §5.1.1]. Assumption: the paper prints no number. */
export const EXCESS_LIMIT = 8;

/** No slice, environment or family owes more cycles, so that credits stay words. */
export const MOST_DEBT: number = 2 ** 29;
/**
 * Credit of a slice whose family owes something: what it is worth pays that first. With an instance more it is lower than any debt, with the
 * greatest debt of its owner no overflow, and neither is near to what two debts make.
 */
export const PLEDGED: number = -11 * 2 ** 27;

/** Packets that no environment can pay for get one part in so many of a tick (as a shift): with their interrupts, under 1 %. Assumption. */
export const UNPAYABLE_SHIFT = 8;

/** Interrupt enable of the LANCE's CSR0 [LANCE]. */
export const CSR0_INEA = 0x0040;

/** How the kernel divides the LANCE's 64 KiB buffer memory (offsets). */
export const NET = {
  registers: 0xb8000000,
  memory: 0xb9000000,
  memoryBytes: 0x10000,
  init: 0x0000,
  receiveRing: 0x0020,
  transmitRing: 0x00a0,
  /** log2 of the number of descriptors in each ring. */
  ringLog2: 4,
  ringBytes: 0x80,
  buffers: 0x0200,
  /** Behind those to receive into. */
  transmitBuffers: 0x6200,
  bufferBytes: 1536,
} as const;
