/**
 * The 32 general registers and the CP0 registers of the R3000, by their conventional names.
 *
 * Source: [KANE92 §2, app. D]. Register numbers are branded so that an immediate cannot stand where a register belongs.
 */

declare const REGISTER: unique symbol;
declare const CP0_REGISTER: unique symbol;

/** The number of a general register, 0 to 31. */
export type Register = number & { readonly [REGISTER]: true };
/** The number of a CP0 register, 0 to 31. */
export type Cp0Register = number & { readonly [CP0_REGISTER]: true };

/** Conventional names in register order; the disassembler prints them. */
export const REGISTER_NAMES: readonly string[] = (
  'zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 ' + 's0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp fp ra'
).split(' ');

/** The general register with this number. Throws `RangeError` outside 0..31. */
export function register(n: number): Register {
  if (!Number.isInteger(n) || n < 0 || n > 31) throw new RangeError(`no general register ${n}: use 0 to 31`);
  return n as Register;
}

export const ZERO: Register = register(0);
export const AT: Register = register(1);
export const V0: Register = register(2);
export const V1: Register = register(3);
export const A0: Register = register(4);
export const A1: Register = register(5);
export const A2: Register = register(6);
export const A3: Register = register(7);
export const T0: Register = register(8);
export const T1: Register = register(9);
export const T2: Register = register(10);
export const T3: Register = register(11);
export const T4: Register = register(12);
export const T5: Register = register(13);
export const T6: Register = register(14);
export const T7: Register = register(15);
export const S0: Register = register(16);
export const S1: Register = register(17);
export const S2: Register = register(18);
export const S3: Register = register(19);
export const S4: Register = register(20);
export const S5: Register = register(21);
export const S6: Register = register(22);
export const S7: Register = register(23);
export const T8: Register = register(24);
export const T9: Register = register(25);
export const K0: Register = register(26);
export const K1: Register = register(27);
export const GP: Register = register(28);
export const SP: Register = register(29);
export const FP: Register = register(30);
export const RA: Register = register(31);

/**
 * Where the kernel's segments begin: unmapped and cached, unmapped and not cached, mapped. Below them is user space [KANE92 §4].
 */
export const KSEG0 = 0x80000000;
export const KSEG1 = 0xa0000000;
export const KSEG2 = 0xc0000000;

/** CP0 registers of the R3000 [KANE92 §6]; numbers not listed do not exist. */
export const CP0_INDEX: Cp0Register = 0 as Cp0Register;
export const CP0_RANDOM: Cp0Register = 1 as Cp0Register;
export const CP0_ENTRYLO: Cp0Register = 2 as Cp0Register;
export const CP0_CONTEXT: Cp0Register = 4 as Cp0Register;
export const CP0_BADVADDR: Cp0Register = 8 as Cp0Register;
/** Deviation: the R3000 has no cycle counter. This one is read-only: the low 32 bits of the cycles since power-on. */
export const CP0_COUNT: Cp0Register = 9 as Cp0Register;
export const CP0_ENTRYHI: Cp0Register = 10 as Cp0Register;
export const CP0_STATUS: Cp0Register = 12 as Cp0Register;
export const CP0_CAUSE: Cp0Register = 13 as Cp0Register;
export const CP0_EPC: Cp0Register = 14 as Cp0Register;
export const CP0_PRID: Cp0Register = 15 as Cp0Register;

/** CP0 register names by number, for the disassembler. */
export const CP0_NAMES: Readonly<Record<number, string>> = {
  0: 'c0_index',
  1: 'c0_random',
  2: 'c0_entrylo',
  4: 'c0_context',
  8: 'c0_badvaddr',
  9: 'c0_count',
  10: 'c0_entryhi',
  12: 'c0_status',
  13: 'c0_cause',
  14: 'c0_epc',
  15: 'c0_prid',
};
