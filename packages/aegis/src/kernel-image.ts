/**
 * The kernel image: all machine code of Aegis, assembled for kseg0 from physical 0, and the dispatch tables that point into it.
 */
import { CALLS, EXCEPTIONS, type CallName } from '@exokernel/abi';
import { createAssembler, withSlots, type Assembly } from '@exokernel/isa';
import { KP, KSEG0, PHYSICAL, kernelPageAddress } from './layout.ts';
import { emitBoot } from './text/boot.ts';
import { callLabel, emitCallDispatch, emitNativeCalls } from './text/calls.ts';
import { emitStackCalls } from './text/stack.ts';
import { emitExceptions } from './text/exception.ts';
import { emitFpuCall, emitFpuInterrupt } from './text/fpu.ts';
import { emitInterrupt } from './text/interrupt.ts';
import { emitMessageCall } from './text/message.ts';
import { emitReceive } from './text/receive.ts';
import { emitRest } from './text/rest.ts';
import { emitRingPut } from './text/ring.ts';
import { exceptionLabel } from './text/routine.ts';
import { emitSchedule, emitYield } from './text/schedule.ts';
import { emitTlbCalls, emitTlbRange } from './text/tlb.ts';
import { emitAsynchronousTransfer, emitSynchronousTransfer, emitTransferRefusals } from './text/transfer.ts';
import { emitTransmit, emitXmitCall } from './text/transmit.ts';
import { emitGeneralVector, emitRefillMiss, emitRefillVector } from './text/vectors.ts';

const GENERAL_VECTOR = 0x80;

let image: Assembly | undefined;

/** The kernel, assembled once: the image is the same for every machine. */
export function kernelImage(): Assembly {
  image ??= assembleKernel();
  return image;
}

function assembleKernel(): Assembly {
  const plain = createAssembler(KSEG0);
  const a = withSlots(plain);
  emitRefillVector(a);
  a.align(GENERAL_VECTOR);
  if (a.here !== KSEG0 + GENERAL_VECTOR) throw new RangeError('the refill handler does not fit in its vector');
  emitGeneralVector(a);
  // The kernel page lies between the vectors and the text.
  while (a.here < KSEG0 + PHYSICAL.text) a.word(0);
  emitBoot(a);
  emitRefillMiss(a);
  emitExceptions(a);
  emitCallDispatch(a);
  emitTlbCalls(a);
  emitTlbRange(a);
  emitSynchronousTransfer(a);
  emitAsynchronousTransfer(a);
  emitTransferRefusals(a);
  emitMessageCall(a);
  emitYield(a);
  emitSchedule(a);
  emitInterrupt(a);
  emitReceive(a);
  emitRingPut(a);
  emitTransmit(a);
  emitXmitCall(a);
  emitNativeCalls(a);
  emitStackCalls(a);
  emitFpuCall(a);
  emitFpuInterrupt(a);
  emitRest(a);
  if (a.here > KSEG0 + PHYSICAL.stlb) throw new RangeError('the kernel text overlaps the STLB');
  return plain.assemble();
}

/** The words of the dispatch tables in the kernel page: kseg0 address and value of each. */
export function dispatchTables(kernel: Assembly): Map<number, number> {
  const symbol = (name: string): number => {
    const address = kernel.symbols.get(name);
    if (address === undefined) throw new RangeError(`the kernel has no ${name}`);
    return address;
  };
  const table = new Map<number, number>();
  for (let code = 0; code < 16; code += 1) {
    const label =
      code === EXCEPTIONS.interrupt ? 'interrupt' : code === EXCEPTIONS.syscall ? 'syscall' : exceptionLabel(code);
    table.set(kernelPageAddress(KP.exceptions) + 4 * code, symbol(label));
  }
  for (let number = 0; kernelPageAddress(KP.calls) + 4 * number < kernelPageAddress(KP.env); number += 1) {
    table.set(kernelPageAddress(KP.calls) + 4 * number, symbol('call.unknown'));
  }
  for (const name of Object.keys(CALLS) as CallName[]) {
    table.set(kernelPageAddress(KP.calls) + 4 * CALLS[name].number, symbol(callLabel(name)));
  }
  return table;
}
