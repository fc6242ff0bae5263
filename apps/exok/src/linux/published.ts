/**
 * What [SOSP95] published for Ultrix, the monolithic system beside Aegis and ExOS, in microseconds, by machine: tables 4, 5, 8, 9
 * and 10; table 11 for the 5000/125 only. Beside each the benchmark of ours that does the same under Linux.
 */

/** The machines of the paper, which are the names of profiles. */
export const PAPER_MACHINES = ['dec2100', 'dec3100', 'dec5000'] as const;

/** The profiles that Linux is measured under. */
export const ALL_PROFILES = ['dec2100', 'dec3100', 'dec5000', 'ideal'] as const;

/** One row of the report. */
export interface Row {
  readonly name: string;
  readonly what: string;
  /** Benchmarks whose intervals add up to it, and those that are taken off. */
  readonly plus: readonly string[];
  readonly minus?: readonly string[];
  /** Ultrix, on the machines above. */
  readonly ultrix?: readonly (number | undefined)[];
}

export const ROWS: readonly Row[] = [
  { name: 'procedure', what: 'null procedure call (T4)', plus: ['procedure'], ultrix: [0.57, 0.42, 0.28] },
  { name: 'syscall', what: 'null system call, getpid (T4)', plus: ['getpid'], ultrix: [32.2, 33.7, 21.3] },
  { name: 'unaligned', what: 'unaligned access to its handler (T5)', plus: ['unaligned'] },
  { name: 'overflow', what: 'overflow to its handler (T5)', plus: ['overflow'], ultrix: [208, 151, 130] },
  { name: 'coprocessor', what: 'unusable coprocessor to its handler (T5)', plus: ['coprocessor'] },
  { name: 'protection', what: 'protection fault to its handler (T5)', plus: ['protection'], ultrix: [238, 177, 154] },
  { name: 'pipe', what: 'a word through a pipe, one way (T8)', plus: ['pipe'], ultrix: [326, 243, 199] },
  { name: 'switch', what: 'context switch: pipe, without the calls', plus: ['pipe'], minus: ['pipe-self'] },
  { name: 'shm', what: 'shared counter and signals, one way (T8)', plus: ['shm'], ultrix: [187, 139, 118] },
  { name: 'matmul', what: '150×150 matrix multiplication (T9)', plus: ['matmul'], ultrix: [7.1e6, 5.2e6, 3.8e6] },
  { name: 'prot1', what: 'protect a page (T10)', plus: ['prot1'], ultrix: [51.6, 39, 32] },
  { name: 'prot100', what: 'protect 100 pages (T10)', plus: ['prot100'], ultrix: [175, 133, 102] },
  { name: 'unprot100', what: 'unprotect 100 pages (T10)', plus: ['unprot100'], ultrix: [175, 133, 102] },
  {
    name: 'trap',
    what: 'protection fault, handled, and back (T10)',
    plus: ['protection', 'protection-return'],
    ultrix: [240, 185, 161],
  },
  { name: 'appel1', what: 'fault, protect one, unprotect one (T10)', plus: ['appel1'], ultrix: [383, 302, 262] },
  { name: 'appel2', what: 'protect 100, fault and unprotect each (T10)', plus: ['appel2'], ultrix: [335, 267, 232] },
  {
    name: 'udp',
    what: '60-byte frame with UDP, there and back (T11)',
    plus: ['udp'],
    ultrix: [undefined, undefined, 3400],
  },
];
