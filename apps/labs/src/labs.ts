/** Every lab by its name, to be loaded when it is run. */
import type { Lab } from './lab.ts';

/** A lab, as the command line knows it. */
export interface LabRow {
  readonly name: string;
  /** One line for the help. */
  readonly what: string;
  readonly load: () => Promise<Lab>;
}

export const LABS: readonly LabRow[] = [
  {
    name: 'calibration',
    what: 'do the timing profiles take as long as the machines they are named for?',
    load: async () => (await import('./calibration.ts')).calibrationLab,
  },
  {
    name: 'syscall',
    what: 'null procedure call and null system calls (T4); what other calls cost',
    load: async () => (await import('./syscall.ts')).syscallLab,
  },
  {
    name: 'exceptions',
    what: 'from an erring instruction to the handler (T5)',
    load: async () => (await import('./exceptions.ts')).exceptionsLab,
  },
  {
    name: 'pct',
    what: 'protected control transfer, one way (T6)',
    load: async () => (await import('./pct.ts')).pctLab,
  },
  {
    name: 'ipc',
    what: 'pipe, optimised pipe, shared memory and local RPC on ExOS (T8)',
    load: async () => (await import('./ipc.ts')).ipcLab,
  },
  {
    name: 'trusted-lrpc',
    what: 'local RPC whose server saves the registers, beside one that is not trusted to (T12)',
    load: async () => (await import('./ipc.ts')).trustedLrpcLab,
  },
  {
    name: 'vm',
    what: "Appel and Li's operations on virtual memory, on both structures of page tables (T10, T13)",
    load: async () => (await import('./vm.ts')).vmLab,
  },
  {
    name: 'matmul',
    what: '150 × 150 matrix multiplication, demand-paged (T9)',
    load: async () => (await import('./matmul.ts')).matmulLab,
  },
  {
    name: 'stride',
    what: 'a stride scheduler in an application, 3:2:1 (Fig. 3)',
    load: async () => (await import('./stride.ts')).strideLab,
  },
  {
    name: 'stlb',
    what: 'what an access costs by the size of the working set: TLB, STLB, upcall',
    load: async () => (await import('./stlb.ts')).stlbLab,
  },
  {
    name: 'revoke',
    what: 'transparent, notifying and cooperative revocation compared',
    load: async () => (await import('./revoke.ts')).revokeLab,
  },
  {
    name: 'forge',
    what: 'capabilities guessed, bent, stale, foreign, widened, revoked: all refused',
    load: async () => (await import('./forge.ts')).forgeLab,
  },
];
