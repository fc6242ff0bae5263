/**
 * The interpreter: one switch over instruction words, the reference for other engines.
 *
 * Only what hits the flat page tables and cannot trap is done in the switch; everything else leaves it for the slow path,
 * which writes the state back first, so that exceptions are precise and devices see the exact cycle. Registers are read
 * once per instruction, before the switch. Typed-array reads carry `as number`: indices are in range by their masks, and
 * a fallback would cost a test at every access.
 *
 * A load writes its register at once unless the next instruction names it; then that instruction is executed alone with
 * the old value, and the load ends after it (`settle`).
 *
 * A stretch counts down instructions, in `left`; stalls of the pipeline (`timing/`) raise `floor`, and an instruction is
 * begun exactly when `left` is above it. So an instruction and its stalls are never split.
 *
 * What the R3000 leaves undefined is fixed so: a branch in a delay slot executes one instruction at the first target and
 * goes on at its own; HI and LO have their value at the next instruction.
 *
 * Source: [KANE92 §1 (delays), app. A].
 */
import type { Cpu } from './cpu.ts';
import { fpuLoadInterlock } from './fpu-hazards.ts';
import type { HotCode } from './hot-code.ts';
import { isHazard } from './hazards.ts';
import { settle } from './load-delay.ts';
import { skipIdle } from './idle.ts';
import { executeSlow, mergeLeft, mergeRight, readRegister, type NativeCall } from './slow-path.ts';
import * as S from '../memory/cpu-state.ts';

/** Longest stretch between two looks at the clock, so that the countdown is an int32. */
const MAX_STRETCH = 0x3fffffff;
/** With a translator, so that the host gets to replace the code that it is running by better code. */
const HOT_STRETCH = 1_000_000;

/** Why the inner loop was left. */
const BUDGET = 0;
const SLOW = 1;
const FETCH = 2;
const SELF = 3;
const TRANSLATED = 4;
const HOT = 5;

/**
 * Executes instructions until the clock has reached cycle `target`. Returns the cycles that passed in idle loops without
 * being executed one by one; `fastIdle` false executes them all, to the same effect. `hot` is the translator's.
 */
export function interpret(cpu: Cpu, native: NativeCall, target: number, fastIdle: boolean, hot?: HotCode): number {
  const { clock, fpu, pipeline, state: s, registers: r, words: m32, halfwords: m16, octets: m8 } = cpu;
  let idle = 0;
  const hooked = hot !== undefined;
  const isExtended = cpu.extensions.length > 0;

  while (clock.now < target) {
    if (clock.next <= clock.now) clock.runDue();
    if (((s[S.CAUSE] as number) & (s[S.STATUS] as number) & 0xff00) !== 0 && ((s[S.STATUS] as number) & 1) !== 0) {
      cpu.raiseInterrupt();
    }
    const end = Math.min(target, clock.next, clock.now + (hot === undefined ? MAX_STRETCH : HOT_STRETCH));
    pipeline?.settle(clock.now);
    const delayed = s[S.DELAY_REGISTER] as number;
    const { readBank, writeBank, fetchBank } = cpu;
    // While the data cache is isolated the banks differ, and nothing is translated.
    let watched = hot !== undefined && readBank === fetchBank && end - clock.now >= hot.worthwhile ? hot : undefined;
    const mode = watched === undefined ? 0 : watched.mode;
    if (watched !== undefined && delayed === 0 && s[S.IN_SLOT] === 0) {
      const start = s[S.PC] as number;
      if (m32[watched.table + 4 * (Math.imul(start | mode, watched.factor) >>> watched.shift)] === start) {
        if (!watched.run(end)) watched = undefined;
        if (clock.now >= end || cpu.isOver(end)) continue;
      }
    }
    const budget = (end - clock.now) | 0;
    let left = budget;
    // The instruction after a load that it must not see is executed alone.
    const bottom = delayed === 0 ? 0 : budget - 1;
    let floor = bottom;
    // The low word of the clock, while an instruction is executed, is `origin - left + floor`.
    const origin = (end - bottom) | 0;
    let uncached = false;
    let slotAt = s[S.IN_SLOT] === 0 ? left + 1 : left;
    let pc = s[S.PC] as number;
    let npc = s[S.NEXT_PC] as number;
    let page = ~pc;
    let delta = 0;
    let at = pc;
    let w = 0;
    let exit = SLOW;
    // Without caches to ask and with nothing isolated, in kernel mode, devices answer loads in the loop.
    const isDirect = pipeline === undefined && readBank === cpu.tables.kernelRead && delayed === 0;
    let isOver = false;

    stretch: {
      inner: while (left > floor) {
        // At the start of a stretch neither holds; the second test is for the hook alone.
        if (((pc ^ page) & 0xfffff003) !== 0 || (hooked && pc !== ((at + 4) | 0))) {
          let host = (pc + (m32[fetchBank + (pc >>> 12)] as number)) | 0;
          uncached = false;
          if ((host & 0x80000003) !== 0) {
            host = cpu.uncachedFetchHost(pc);
            uncached = true;
            if (host < 0) {
              exit = FETCH;
              break stretch;
            }
          }
          page = pc & 0xfffff000;
          delta = (host - pc) | 0;
          if (watched !== undefined && left !== budget && slotAt !== left) {
            if (m32[watched.table + 4 * (Math.imul(pc | mode, watched.factor) >>> watched.shift)] === pc) {
              exit = TRANSLATED;
              break stretch;
            }
            const place = (pc >>> 2) & 0xffff;
            const heat = ((watched.heat[place] as number) - 1) | 0;
            watched.heat[place] = heat;
            if (heat === 0) {
              exit = HOT;
              break stretch;
            }
          }
        }
        if (pipeline !== undefined) {
          const now = (origin - left + floor) | 0;
          floor += uncached ? pipeline.uncached(now) : pipeline.fetch((pc + delta) | 0, now);
        }
        w = m32[(pc + delta) >> 2] as number;
        at = pc;
        pc = npc;
        npc = (npc + 4) | 0;
        left -= 1;
        r[0] = 0;
        const a = r[(w >>> 21) & 31] as number;
        const b = r[(w >>> 16) & 31] as number;
        const imm = (w << 16) >> 16;
        let value = 0;

        loaded: {
          switch (w >>> 26) {
            case 0x00:
              switch (w & 63) {
                case 0x00: // sll
                  r[(w >>> 11) & 31] = b << ((w >>> 6) & 31);
                  continue;
                case 0x02: // srl; with bits where rs stands, as MIPS32's rotr has, it is the slow path's
                  if ((w & 0x03e00000) !== 0) break;
                  r[(w >>> 11) & 31] = b >>> ((w >>> 6) & 31);
                  continue;
                case 0x03: // sra
                  r[(w >>> 11) & 31] = b >> ((w >>> 6) & 31);
                  continue;
                case 0x04: // sllv
                  r[(w >>> 11) & 31] = b << a;
                  continue;
                case 0x06: // srlv, likewise
                  if ((w & 0x7c0) !== 0) break;
                  r[(w >>> 11) & 31] = b >>> a;
                  continue;
                case 0x07: // srav
                  r[(w >>> 11) & 31] = b >> a;
                  continue;
                case 0x08: // jr
                  npc = a;
                  slotAt = left;
                  continue;
                case 0x09: // jalr
                  r[(w >>> 11) & 31] = at + 8;
                  npc = a;
                  slotAt = left;
                  continue;
                case 0x10: // mfhi
                  if (pipeline !== undefined) floor += pipeline.waitHiLo((origin - left + floor) | 0);
                  r[(w >>> 11) & 31] = s[S.HI] as number;
                  continue;
                case 0x11: // mthi
                  if (pipeline !== undefined) floor += pipeline.waitHiLo((origin - left + floor) | 0);
                  s[S.HI] = a;
                  continue;
                case 0x12: // mflo
                  if (pipeline !== undefined) floor += pipeline.waitHiLo((origin - left + floor) | 0);
                  r[(w >>> 11) & 31] = s[S.LO] as number;
                  continue;
                case 0x13: // mtlo
                  if (pipeline !== undefined) floor += pipeline.waitHiLo((origin - left + floor) | 0);
                  s[S.LO] = a;
                  continue;
                case 0x18:
                case 0x19: {
                  if (pipeline !== undefined) floor += pipeline.multiply((origin - left + floor) | 0);
                  // mult, multu: the double's error is far below half of the high word's unit, so rounding gives it exactly
                  const low = Math.imul(a, b);
                  const product = (w & 1) === 0 ? a * b : (a >>> 0) * (b >>> 0);
                  s[S.LO] = low;
                  s[S.HI] = Math.round((product - (low >>> 0)) / 4294967296);
                  continue;
                }
                case 0x1a: // div; by zero as the R3000 does it
                  if (pipeline !== undefined) floor += pipeline.divide((origin - left + floor) | 0);
                  s[S.LO] = b === 0 ? (a < 0 ? 1 : -1) : (a / b) | 0;
                  s[S.HI] = b === 0 ? a : (a % b) | 0;
                  continue;
                case 0x1b: // divu
                  if (pipeline !== undefined) floor += pipeline.divide((origin - left + floor) | 0);
                  s[S.LO] = b === 0 ? -1 : ((a >>> 0) / (b >>> 0)) | 0;
                  s[S.HI] = b === 0 ? a : ((a >>> 0) % (b >>> 0)) | 0;
                  continue;
                case 0x20: {
                  // add
                  const sum = (a + b) | 0;
                  if (((a ^ sum) & (b ^ sum)) < 0) break;
                  r[(w >>> 11) & 31] = sum;
                  continue;
                }
                case 0x21: // addu
                  r[(w >>> 11) & 31] = a + b;
                  continue;
                case 0x22: {
                  // sub
                  const difference = (a - b) | 0;
                  if (((a ^ b) & (a ^ difference)) < 0) break;
                  r[(w >>> 11) & 31] = difference;
                  continue;
                }
                case 0x23: // subu
                  r[(w >>> 11) & 31] = a - b;
                  continue;
                case 0x24: // and
                  r[(w >>> 11) & 31] = a & b;
                  continue;
                case 0x25: // or
                  r[(w >>> 11) & 31] = a | b;
                  continue;
                case 0x26: // xor
                  r[(w >>> 11) & 31] = a ^ b;
                  continue;
                case 0x27: // nor
                  r[(w >>> 11) & 31] = ~(a | b);
                  continue;
                case 0x2a: // slt
                  r[(w >>> 11) & 31] = a < b ? 1 : 0;
                  continue;
                case 0x2b: // sltu
                  r[(w >>> 11) & 31] = a >>> 0 < b >>> 0 ? 1 : 0;
                  continue;
              }
              break stretch;
            case 0x01: {
              const kind = (w >>> 16) & 31;
              if ((kind & 0x0e) !== 0) break stretch;
              if ((kind & 0x10) !== 0) r[31] = at + 8; // bltzal, bgezal
              if (a < 0 === ((kind & 1) === 0)) npc = (at + 4 + (imm << 2)) | 0;
              slotAt = left;
              continue;
            }
            case 0x02: // j
              npc = ((at + 4) & 0xf0000000) | ((w << 6) >>> 4);
              slotAt = left;
              if (npc !== at) continue;
              exit = SELF;
              break stretch;
            case 0x03: // jal
              r[31] = at + 8;
              npc = ((at + 4) & 0xf0000000) | ((w << 6) >>> 4);
              slotAt = left;
              continue;
            case 0x04: // beq
              slotAt = left;
              if (a !== b) continue;
              npc = (at + 4 + (imm << 2)) | 0;
              if (npc !== at) continue;
              exit = SELF;
              break stretch;
            case 0x05: // bne
              slotAt = left;
              if (a !== b) npc = (at + 4 + (imm << 2)) | 0;
              continue;
            case 0x06: // blez
              slotAt = left;
              if (a <= 0) npc = (at + 4 + (imm << 2)) | 0;
              continue;
            case 0x07: // bgtz
              slotAt = left;
              if (a > 0) npc = (at + 4 + (imm << 2)) | 0;
              continue;
            case 0x08: {
              // addi
              const sum = (a + imm) | 0;
              if (((a ^ sum) & (imm ^ sum)) < 0) break stretch;
              r[(w >>> 16) & 31] = sum;
              continue;
            }
            case 0x09: // addiu
              r[(w >>> 16) & 31] = a + imm;
              continue;
            case 0x0a: // slti
              r[(w >>> 16) & 31] = a < imm ? 1 : 0;
              continue;
            case 0x0b: // sltiu
              r[(w >>> 16) & 31] = a >>> 0 < imm >>> 0 ? 1 : 0;
              continue;
            case 0x0c: // andi
              r[(w >>> 16) & 31] = a & (w & 0xffff);
              continue;
            case 0x0d: // ori
              r[(w >>> 16) & 31] = a | (w & 0xffff);
              continue;
            case 0x0e: // xori
              r[(w >>> 16) & 31] = a ^ (w & 0xffff);
              continue;
            case 0x0f: // lui
              r[(w >>> 16) & 31] = w << 16;
              continue;
            case 0x11: {
              // coprocessor 1
              const kind = (w >>> 21) & 31;
              if (((s[S.STATUS] as number) & S.STATUS_CU1) !== 0 && ((s[S.CAUSE] as number) & S.IP_FPU) === 0) {
                if (pipeline !== undefined) floor += pipeline.fpu.interlock(w, (origin - left + floor) | 0);
                if ((kind & 16) !== 0) {
                  if (fpu.operate(w)) {
                    pipeline?.fpu.issue(w, (origin - left + floor) | 0);
                    continue;
                  }
                } else if (kind === 0) {
                  // mfc1
                  value = s[S.FPR + ((w >>> 11) & 31)] as number;
                  break loaded;
                } else if (kind === 8 && (w & 0x1e0000) === 0) {
                  // bc1f, bc1t
                  slotAt = left;
                  if ((((s[S.FCR31] as number) >>> 23) & 1) === ((w >>> 16) & 1)) npc = (at + 4 + (imm << 2)) | 0;
                  continue;
                }
              }
              break stretch;
            }
            case 0x20: {
              // lb
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if (h < 0) break;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              value = m8[h] as number;
              break loaded;
            }
            case 0x21: {
              // lh
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000001) !== 0) break;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              value = m16[h >> 1] as number;
              break loaded;
            }
            case 0x22:
            case 0x26: {
              // lwl, lwr
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if (h < 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              const old = delayed !== 0 && delayed === ((w >>> 16) & 31) ? (s[S.DELAY_VALUE] as number) : b;
              const whole = m32[h >> 2] as number;
              const shift = 8 * (h & 3);
              value = w >>> 26 === 0x22 ? mergeLeft(whole, old, shift) : mergeRight(whole, old, shift);
              break loaded;
            }
            case 0x23: {
              // lw
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000003) !== 0) break;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              value = m32[h >> 2] as number;
              break loaded;
            }
            case 0x24: {
              // lbu
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if (h < 0) break;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              value = (m8[h] as number) & 0xff;
              break loaded;
            }
            case 0x25: {
              // lhu
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000001) !== 0) break;
              if (pipeline !== undefined) floor += pipeline.load(h, (origin - left + floor) | 0);
              value = (m16[h >> 1] as number) & 0xffff;
              break loaded;
            }
            case 0x28: {
              // sb
              const va = (a + imm) | 0;
              const h = (va + (m32[writeBank + (va >>> 12)] as number)) | 0;
              if (h < 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.storePart(h, (origin - left + floor) | 0);
              m8[h] = b;
              continue;
            }
            case 0x29: {
              // sh
              const va = (a + imm) | 0;
              const h = (va + (m32[writeBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000001) !== 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.storePart(h, (origin - left + floor) | 0);
              m16[h >> 1] = b;
              continue;
            }
            case 0x2b: {
              // sw
              const va = (a + imm) | 0;
              const h = (va + (m32[writeBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000003) !== 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.storeWord(h, (origin - left + floor) | 0);
              m32[h >> 2] = b;
              continue;
            }
            case 0x31: {
              // lwc1
              const va = (a + imm) | 0;
              const h = (va + (m32[readBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000003) !== 0 || ((s[S.STATUS] as number) & S.STATUS_CU1) === 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.loadFpu(w, h, (origin - left + floor) | 0);
              if (pipeline !== undefined) {
                const following = ((pc ^ page) & 0xfffff003) === 0 ? (m32[(pc + delta) >> 2] as number) : cpu.peek(pc);
                floor += fpuLoadInterlock(w, following);
              }
              s[S.FPR + ((w >>> 16) & 31)] = m32[h >> 2] as number;
              continue;
            }
            case 0x39: {
              // swc1
              const va = (a + imm) | 0;
              const h = (va + (m32[writeBank + (va >>> 12)] as number)) | 0;
              if ((h & 0x80000003) !== 0 || ((s[S.STATUS] as number) & S.STATUS_CU1) === 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.storeFpu(w, h, (origin - left + floor) | 0);
              m32[h >> 2] = s[S.FPR + ((w >>> 16) & 31)] as number;
              continue;
            }
            case 0x2a:
            case 0x2e: {
              // swl, swr
              const va = (a + imm) | 0;
              const h = (va + (m32[writeBank + (va >>> 12)] as number)) | 0;
              if (h < 0) break stretch;
              if (pipeline !== undefined) floor += pipeline.storePart(h, (origin - left + floor) | 0);
              const shift = 8 * (h & 3);
              const left3 = w >>> 26 === 0x2a;
              const mask = left3 ? 0xffffffff >>> (24 - shift) : 0xffffffff << shift;
              const lanes = left3 ? b >>> (24 - shift) : b << shift;
              m32[h >> 2] = ((m32[h >> 2] as number) & ~mask) | (lanes & mask);
              continue;
            }
            default:
              break stretch;
          }

          // A load that the page tables did not let through: a device's register can be read at once.
          if (!isDirect) break stretch;
          cpu.leaveLoop(end - left, pc, npc, slotAt === left);
          if (!readRegister(cpu, w, (a + imm) | 0)) break stretch;
          value = cpu.registerValue;
          // It may have moved an event into this stretch, or raised an interrupt.
          isOver = cpu.isOver(end);
        }

        // A load has its value.
        const rt = (w >>> 16) & 31;
        const next = ((pc ^ page) & 0xfffff003) === 0 ? (m32[(pc + delta) >> 2] as number) : cpu.peek(pc);
        const isNamed = ((next >>> 21) & 31) === rt || ((next >>> 16) & 31) === rt || isExtended;
        if (!isNamed || rt === 0 || !isHazard(next, rt)) {
          r[rt] = value;
          if (!isOver) continue;
          break inner;
        }
        cpu.lateRegister = rt;
        cpu.lateValue = value;
        break inner;
      }
      exit = BUDGET;
    }

    r[0] = 0;
    cpu.leaveLoop(end - left + (floor - bottom), pc, npc, slotAt === left);
    cpu.charged += floor - bottom;
    if (exit === SLOW) executeSlow(cpu, native, w, at, slotAt === left + 1);
    else if (exit === FETCH) cpu.raiseFetchFault(pc, slotAt === left);
    if (delayed !== 0 || cpu.lateRegister !== 0) settle(cpu, w);
    if (exit === HOT && watched !== undefined) watched.compile(pc);
    if (exit === SELF && fastIdle) idle += skipIdle(cpu, target);
  }
  pipeline?.pass(clock.now, 0);
  return idle;
}
