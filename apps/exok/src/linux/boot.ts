/**
 * Linux as a program of the bare machine: its kernel, its first file system, and the command line that says what the
 * kernel cannot find out.
 */
import type { Program } from '../run-machine.ts';
import type { MachineSettings } from '../run-options.ts';
import { readElf } from '../run-machine.ts';

/** What there is to say. */
export interface LinuxBoot {
  /** Path of the kernel. */
  readonly kernel: string;
  readonly initramfs: Uint8Array;
  /** The command that /init carries out; words of printable ASCII. */
  readonly command: readonly string[];
  /** More arguments of the kernel. */
  readonly append?: readonly string[];
  /** Its address on the wire, if it is to have one. */
  readonly address?: string;
}

/**
 * The disk's registers, and the number under which the kernel knows interrupt line 2: lines are counted from 0 there
 * [KN01].
 */
const DISK = 'virtio_mmio.device=0x200@0x1a000000:2';
/** The kernel looks for memory in steps of 4 MiB, and not beyond 28. */
const MEMORY_STEP = 4;
const MEMORY_MOST = 28;

/** The program to run. Throws `UsageError` if the kernel cannot be read. */
export function linuxProgram(boot: LinuxBoot, { memory, disk }: Pick<MachineSettings, 'memory' | 'disk'>): Program {
  const { kernel, initramfs, command, append = [], address } = boot;
  const args = ['console=ttyS3', 'panic=1'];
  if (memory % MEMORY_STEP !== 0 || memory > MEMORY_MOST) args.push(`mem=${memory}M`);
  if (disk !== undefined) args.push(DISK);
  if (address !== undefined) args.push(`ip=${address}:::255.255.255.0::eth0:off`);
  args.push(...append);
  if (command.length > 0) args.push('--', ...command.map(quote));
  return { name: kernel, elf: readElf(kernel), args, initrd: initramfs };
}

/** The kernel splits its command line at spaces that are not in quotes. */
function quote(word: string): string {
  return word.includes(' ') ? `"${word}"` : word;
}
