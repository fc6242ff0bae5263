/**
 * The same echo in machine code, straight on rings: it checks lengths and both checksums, copies the packet to the transmit ring with its addresses and ports
 * the other way round, which no checksum notices, sends it, and sleeps until the next one comes.
 *
 * An environment that is its own library operating system: TypeScript binds rings and filter, then this loop runs. One that begins sends a first
 * packet, so that two of them talk without end.
 */
import { CALLS, EXCEPTIONS, PAGE_BYTES, POLICIES, RING_SLOT_BYTES, type Image } from '@exokernel/abi';
import { encodeFilter, udp } from '@exokernel/dpf';
import {
  A0,
  A1,
  A2,
  S0,
  S1,
  S2,
  S3,
  S4,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  V0,
  ZERO,
  withSlots,
  type Assembler,
  type Register,
  type SlotAssembler,
} from '@exokernel/isa';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  PAGED_BASE,
  PAGED_END,
  PacketRing,
  RING_BUFFER_BYTES,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberMemory,
  pageCapability,
  type Fiber,
  type Memory,
} from '@exokernel/libos-kit';

const SLOTS = 4;
/** Pages of a ring: its slots, then its buffers. */
const RING_PAGES = 1 + (SLOTS * RING_BUFFER_BYTES) / PAGE_BYTES;
const RECEIVE = PAGED_BASE;
const TRANSMIT = PAGED_BASE + RING_PAGES * PAGE_BYTES;
const HEAP = UKIT.libos;
const MAIN = FIRST_LIBOS_NATIVE;
/** When one that begins does. */
const BEGIN_TICK = 64;

/** Who an environment is, and the packet with which it begins. */
export interface ByHand {
  readonly ip: number;
  readonly port: number;
  readonly first?: Uint8Array;
}

/** The image. It exits only with an error of the kernel's. */
export function byHand(options: ByHand): Image {
  const runtime = assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      emitLoop(a);
      emitFaultHandler(a, 'tlbl', { absent: 'echo.end', outside: 'echo.end' });
      emitFaultHandler(a, 'tlbs', { absent: 'echo.end', outside: 'echo.end' });
      emitEagerAllocate(a, HEAP, PAGED_END);
      emitFiberEntry(a, 'echo.main', MAIN);
      a.label('echo.start');
      a.bal('echo.main');
      a.nop();
      a.bltz(V0, 'echo.end');
      a.nop();
      a.j('echo.run');
      a.move(S4, V0);
      a.label('echo.end');
      a.j('kit.exit');
      a.move(A0, V0);
    },
  });
  const allocate = address(runtime, 'memory_allocate');
  const sleep = address(runtime, 'kit.sleep');
  return buildImage({
    name: 'echo by hand',
    libos: 'its own',
    runtime,
    entry: address(runtime, 'echo.start'),
    pages: [],
    handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
    natives: (env) => {
      const fibers = new Fibers();
      const memory = fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));
      return [fibers.step(env), fibers.start(env, () => main(fibers, memory, sleep, options))];
    },
    placement: {},
    words: () => new Map([[HEAP, 0]]),
  });
}

/** Binds rings and filter. The number of the transmit ring, or an error. */
function* main(fibers: Fibers, memory: Memory, sleep: number, { ip, port, first }: ByHand): Fiber<number> {
  const receive = yield* PacketRing.bind(fibers, memory, { transmit: false, slots: SLOTS });
  if (!(receive instanceof PacketRing)) return receive.code;
  const transmit = yield* PacketRing.bind(fibers, memory, { transmit: true, slots: SLOTS });
  if (!(transmit instanceof PacketRing)) return transmit.code;
  const code = yield* memory.allocate(PAGE_BYTES);
  if (code < 0) return code;
  const filter = encodeFilter(udp({ dstIp: ip, dstPort: port }));
  yield* fibers.write(code, filter);
  const frame = yield* pageCapability(fibers, code);
  const bound = yield* fibers.syscall('filter_bind', ...frame, ...receive.capability, filter.length, POLICIES.specific);
  if (bound < 0) return bound;
  if (first !== undefined) {
    // The other one is ready by then.
    for (let tick = 0; tick < BEGIN_TICK; tick = fibers.results('tick').tick) {
      yield* fibers.call(sleep, BEGIN_TICK);
      yield* fibers.syscall('tick');
    }
    yield* fibers.write(transmit.buffer(0), first);
    yield* transmit.give(0, first.length);
  }
  return transmit.ring;
}

/** echo.run: s0 = receive slot, s1 = its buffer, s2 and s3 the same of the transmit ring, s4 = the number of that. */
function emitLoop(plain: Assembler): void {
  const a = withSlots(plain);
  a.label('echo.run');
  a.li(S0, RECEIVE);
  a.li(S1, RECEIVE + PAGE_BYTES);
  a.li(S2, TRANSMIT);
  a.li(S3, TRANSMIT + PAGE_BYTES);
  a.lw(T0, 0, S2);
  a.nop();
  a.beq(T0, ZERO, 'echo.wait');
  a.b('echo.xmit');

  a.label('echo.sleep');
  a.jal('kit.sleep', (slot) => slot.move(A0, ZERO));
  a.label('echo.wait');
  a.lw(A0, 0, S0);
  a.nop();
  a.beq(A0, ZERO, 'echo.sleep');
  emitCheck(a);
  emitReply(a);
  a.sw(A0, 0, S2);
  a.label('echo.xmit');
  emitAdvance(a, { slot: S2, buffer: S3, first: TRANSMIT });
  a.li(V0, CALLS.xmit.number);
  a.move(A0, S4);
  a.syscall(0);
  a.bltz(V0, 'echo.end');
  a.lw(A0, 0, S0);
  a.nop();
  a.beq(A0, ZERO, 'echo.wait');
  a.label('echo.drop');
  a.sw(ZERO, 0, S0);
  emitAdvance(a, { slot: S0, buffer: S1, first: RECEIVE });
  a.b('echo.wait');
}

function emitAdvance(
  a: SlotAssembler,
  { slot, buffer, first }: { readonly slot: Register; readonly buffer: Register; readonly first: number },
): void {
  const on = a.fresh('advance');
  a.addiu(slot, slot, RING_SLOT_BYTES);
  a.andi(T0, slot, SLOTS * RING_SLOT_BYTES - 1);
  a.bne(T0, ZERO, on, (delay) => delay.addiu(buffer, buffer, RING_BUFFER_BYTES));
  a.li(slot, first);
  a.li(buffer, first + PAGE_BYTES);
  a.label(on);
}

/** Big-endian half at an offset of the packet, in `to`. */
function emitHalf(a: SlotAssembler, to: Register, at: number, scratch: Register): void {
  a.lbu(to, at, S1);
  a.lbu(scratch, at + 1, S1);
  a.sll(to, to, 8);
  a.or(to, to, scratch);
}

/** Adds `value` to the sum in t0 with its carry. */
function emitAdd(a: SlotAssembler, value: Register): void {
  a.addu(T0, T0, value);
  a.sltu(T1, T0, value);
  a.addu(T0, T0, T1);
}

/** To `echo.drop` unless the sum in t0 is that of what has a right checksum. */
function emitFold(a: SlotAssembler): void {
  for (let i = 0; i < 2; i += 1) {
    a.srl(T1, T0, 16);
    a.andi(T0, T0, 0xffff);
    a.addu(T0, T0, T1);
  }
  a.xori(T0, T0, 0xffff);
  a.bne(T0, ZERO, 'echo.drop');
}

/** Lengths and checksums of the packet at s1, of a0 bytes. Then a1 = length of the datagram. */
function emitCheck(a: SlotAssembler): void {
  a.sltiu(T0, A0, 1515);
  a.beq(T0, ZERO, 'echo.drop');
  a.lbu(T1, 14, S1);
  emitHalf(a, A2, 16, T2);
  a.addiu(T1, T1, -0x45);
  a.bne(T1, ZERO, 'echo.drop', (slot) => slot.addiu(T0, A2, 14));
  a.sltu(T0, A0, T0);
  a.bne(T0, ZERO, 'echo.drop');
  a.sltiu(T0, A2, 28);
  a.bne(T0, ZERO, 'echo.drop');
  // The header's sum.
  a.lhu(T0, 14, S1);
  a.lhu(T2, 32, S1);
  for (const at of [16, 20, 24, 28]) {
    a.lw(T3, at, S1);
    a.nop();
    emitAdd(a, T3);
  }
  emitAdd(a, T2);
  emitFold(a);
  // No fragments.
  a.lhu(T1, 20, S1);
  a.li(T2, 0xff3f);
  a.and(T1, T1, T2);
  a.bne(T1, ZERO, 'echo.drop');
  emitHalf(a, A1, 38, T2);
  a.addiu(T0, A2, -20);
  a.sltu(T0, T0, A1);
  a.bne(T0, ZERO, 'echo.drop');
  a.sltiu(T0, A1, 8);
  a.bne(T0, ZERO, 'echo.drop');
  // The datagram's, with the pseudo header: addresses, protocol, length.
  a.lhu(T0, 38, S1);
  a.lhu(T2, 26, S1);
  a.addiu(T0, T0, 0x1100);
  a.addu(T0, T0, T2);
  a.lw(T3, 28, S1);
  a.lhu(T4, 32, S1);
  emitAdd(a, T3);
  a.addu(T0, T0, T4);
  a.lhu(T2, 34, S1);
  a.addiu(T5, S1, 36);
  a.addu(T0, T0, T2);
  // Words from 36 on; what is behind the last is zero or counts as high bytes.
  a.addu(T6, S1, A1);
  a.addiu(T6, T6, 34);
  a.label('echo.sum');
  a.addiu(T7, T5, 4);
  a.sltu(T2, T6, T7);
  a.bne(T2, ZERO, 'echo.sum.rest');
  a.lw(T3, 0, T5);
  a.move(T5, T7);
  emitAdd(a, T3);
  a.b('echo.sum');
  a.label('echo.sum.rest');
  a.subu(T2, T6, T5);
  a.beq(T2, ZERO, 'echo.sum.end', (slot) => slot.addiu(T2, T2, -2));
  a.bltz(T2, 'echo.sum.byte');
  a.lhu(T3, 0, T5);
  a.addiu(T5, T5, 2);
  emitAdd(a, T3);
  a.beq(T2, ZERO, 'echo.sum.end');
  a.label('echo.sum.byte');
  a.lbu(T3, 0, T5);
  a.nop();
  emitAdd(a, T3);
  a.label('echo.sum.end');
  emitFold(a);
}

/** The answer, at s3. */
function emitReply(a: SlotAssembler): void {
  // Ethernet: to its sender, from its receiver.
  a.lhu(T0, 6, S1);
  a.lw(T1, 8, S1);
  a.lw(T2, 0, S1);
  a.lhu(T3, 4, S1);
  a.sll(T4, T1, 16);
  a.or(T0, T0, T4);
  a.sw(T0, 0, S3);
  a.srl(T1, T1, 16);
  a.sll(T4, T2, 16);
  a.or(T1, T1, T4);
  a.sw(T1, 4, S3);
  a.srl(T2, T2, 16);
  a.sll(T3, T3, 16);
  a.or(T2, T2, T3);
  a.sw(T2, 8, S3);
  for (const at of [12, 16, 20]) {
    a.lw(T0, at, S1);
    a.nop();
    a.sw(T0, at, S3);
  }
  // Addresses and ports: halves at 26 to 37.
  a.lhu(T0, 24, S1);
  a.lhu(T1, 30, S1);
  a.lhu(T2, 32, S1);
  a.lhu(T3, 26, S1);
  a.sll(T1, T1, 16);
  a.or(T0, T0, T1);
  a.sw(T0, 24, S3);
  a.sll(T3, T3, 16);
  a.or(T2, T2, T3);
  a.sw(T2, 28, S3);
  a.lhu(T0, 28, S1);
  a.lhu(T1, 36, S1);
  a.lhu(T2, 34, S1);
  a.lhu(T3, 38, S1);
  a.sll(T1, T1, 16);
  a.or(T0, T0, T1);
  a.sw(T0, 32, S3);
  a.sll(T3, T3, 16);
  a.or(T2, T2, T3);
  a.sw(T2, 36, S3);
  // Checksum and data.
  a.addu(T0, S1, A0);
  a.addiu(T1, S1, 40);
  a.addiu(T2, S3, 40);
  a.label('echo.copy');
  a.lw(T3, 0, T1);
  a.addiu(T1, T1, 4);
  a.sltu(T4, T1, T0);
  a.sw(T3, 0, T2);
  a.bne(T4, ZERO, 'echo.copy', (slot) => slot.addiu(T2, T2, 4));
}
