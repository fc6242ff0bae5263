/**
 * Aegis: an exokernel for the modelled DECstation.
 *
 * `new Aegis(machine)` puts the kernel image and its tables into the machine's memory; `load` makes environments; then
 * `machine.run` boots. From there on the machine executes the kernel: TypeScript of this package runs only when the machine
 * code's `cop2` says so, once per binding.
 */
import {
  ENV,
  ENV_LIMIT,
  ENV_STATUS,
  EXPOSED,
  FRAME,
  FILTER_CODE_BYTES,
  PAGE_BYTES,
  NO_ENV,
  SLICE,
  SLICE_BYTES,
  STRUCTURES,
  SYSTEM,
  TICKS_PER_SECOND,
  WELL_KNOWN_READ,
  type Image,
  type NativeFunction,
} from '@exokernel/abi';
import type { Machine } from '@exokernel/hardware';
import { K0, K1, T8, V0 } from '@exokernel/isa';
import { Accounting, type Usage } from './accounting.ts';
import { Asids } from './asids.ts';
import { Arguments, type Parts } from './call.ts';
import { frameGranted } from './calls/memory.ts';
import { Capabilities } from './capabilities.ts';
import { Causes, type Cause } from './causes.ts';
import { COSTS } from './costs.ts';
import { Disk } from './disk.ts';
import { Environments } from './environments.ts';
import { AegisError } from './error.ts';
import { Extents } from './extents.ts';
import { Families } from './families.ts';
import { Filters } from './filters.ts';
import { Frames } from './frames.ts';
import { dispatchTables, kernelImage } from './kernel-image.ts';
import {
  CSR0_INEA,
  FIRST_FREE_FRAME,
  INTERRUPT,
  KP,
  KSEG0,
  NATIVE,
  PHYSICAL,
  UNPAYABLE_SHIFT,
  kernelPageAddress,
} from './layout.ts';
import { loadImage } from './loader.ts';
import { KernelMemory, envOf } from './memory.ts';
import { Messages } from './messages.ts';
import { Names } from './names.ts';
import { bounded, counted, nativeCalls } from './native-calls.ts';
import { Natives } from './natives.ts';
import { bootNetwork } from './network.ts';
import { Nodes } from './nodes.ts';
import { Predicates } from './predicates.ts';
import { Registry } from './registry.ts';
import { Repossession } from './repossession.ts';
import { Revocation } from './revocation.ts';
import { Rings } from './rings.ts';
import { SavedKernel } from './saved.ts';
import { Serial } from './serial.ts';
import { Slices, positionOf } from './slices.ts';
import { tablesAt } from './tables.ts';
import { TlbKeeper } from './tlb-keeper.ts';
import { SECTORS_PER_BLOCK } from './virtio-blk.ts';

/** How to make a kernel. */
export interface AegisOptions {
  /** Seeds the kernel's key; the same secret gives the same capabilities. Default: one fixed secret, for reproducible runs. */
  readonly secret?: Uint8Array;
}

/** What is known of one environment. */
export interface EnvironmentInfo extends Usage {
  readonly id: number;
  readonly name: string;
  readonly libos: string;
  readonly status: keyof typeof ENV_STATUS;
  readonly parent: number | undefined;
  /** ENV.death: see DEATHS. */
  readonly death: number;
  /** ENV.exit: the word it gave to env_free, signed. */
  readonly exit: number;
  /** Why it ended; nothing while it lives. */
  readonly cause: Cause | undefined;
}

/** What it costs at most to see whether something binds a frame, by all that there is. */
const COST_OF_LOOKING = { fixed: 2500, ring: 60, filter: 30, predicate: 60 } as const;

const STATUS_NAMES: readonly (keyof typeof ENV_STATUS)[] = ['free', 'embryo', 'runnable', 'dead'];

/** Assumption: a fixed secret unless the caller gives one, because runs are to be reproducible. */
const DEFAULT_SECRET = Uint8Array.of(0x61, 0x65, 0x67, 0x69, 0x73);

/** Machines that have a kernel. */
const TAKEN = new WeakSet<Machine>();

/** The kernel on one machine. */
export class Aegis {
  readonly machine: Machine;
  readonly parts: Parts;
  readonly #accounting: Accounting;
  readonly #names: Names = new Names();
  readonly #causes: Causes;

  /** Throws `AegisError` `machine` if the machine has run already or has a kernel, `memory` if it has too little. */
  constructor(machine: Machine, options: AegisOptions = {}) {
    if (TAKEN.has(machine) || machine.cycles > 0) {
      throw new AegisError(
        'machine',
        'a kernel starts on a machine of its own that has not run yet: make a new Machine',
      );
    }
    const { ramBytes } = machine.memory;
    if (tablesAt(ramBytes) <= FIRST_FREE_FRAME * PAGE_BYTES) {
      const kernel = ramBytes - tablesAt(ramBytes) + FIRST_FREE_FRAME * PAGE_BYTES;
      throw new AegisError('memory', `${ramBytes} bytes of memory: the kernel alone takes ${kernel}`, { ramBytes });
    }
    TAKEN.add(machine);
    this.machine = machine;
    this.#causes = new Causes(machine);
    // The image first: it holds the kernel page, which the parts fill in.
    const kernel = kernelImage();
    machine.memory.installCode(0, kernel.words);
    for (const [at, value] of dispatchTables(kernel)) machine.memory.store32(at - KSEG0, value);
    machine.cpu.pc = kernel.symbols.get('boot') ?? KSEG0;
    this.parts = this.#build(options.secret ?? DEFAULT_SECRET);
    this.#accounting = new Accounting(machine, this.parts.memory);
    this.#install(kernel.symbols.get('schedule') ?? KSEG0);
    machine.attachState(
      new SavedKernel(this.parts.natives, this.#names, [this.parts.filters, this.#accounting, this.#causes]),
    );
  }

  /** Makes an environment. Returns its number. Throws `AegisError`; then nothing is left of it. */
  load(image: Image): number {
    const env = loadImage(this.parts, image);
    this.#names.set(env, { name: image.name, family: image.name, libos: image.libos });
    this.#causes.loaded(env, image);
    return env;
  }

  /** Frames without a holder. */
  get framesFree(): number {
    return this.parts.frames.free;
  }

  /** Every environment that exists or has died and was not replaced. */
  environments(): EnvironmentInfo[] {
    return Array.from({ length: ENV_LIMIT }, (_, id) => id)
      .filter((id) => this.parts.memory.env(id, ENV.status) !== ENV_STATUS.free)
      .map((id) => this.environment(id));
  }

  /** What is known of environment `id`, 0 to 127, also if it never was. Throws `AegisError` `environments`. */
  environment(id: number): EnvironmentInfo {
    if (!Number.isInteger(id) || id < 0 || id >= ENV_LIMIT) {
      throw new AegisError('environments', `no environment ${id}: use 0 to ${ENV_LIMIT - 1}`, { id });
    }
    const { memory } = this.parts;
    const parent = memory.env(id, ENV.parent);
    const { name, libos } = this.#names.of(id);
    return {
      id,
      name,
      libos,
      status: STATUS_NAMES.find((name) => ENV_STATUS[name] === memory.env(id, ENV.status)) ?? 'free',
      parent: parent < ENV_LIMIT ? parent : undefined,
      death: memory.env(id, ENV.death),
      exit: memory.env(id, ENV.exit) | 0,
      cause: memory.env(id, ENV.status) === ENV_STATUS.dead ? this.#causes.of(id) : undefined,
      ...this.#accounting.usage(id),
    };
  }

  /** A new tenant of record `id`: counted from zero, and named after its parent. */
  #created(id: number, parent: number): void {
    this.#accounting.reset(id);
    this.#names.created(id, parent);
    this.#causes.created(id, parent);
  }

  #build(secret: Uint8Array): Parts {
    const { machine } = this;
    const memory = new KernelMemory(machine.memory);
    const families = new Families(memory);
    const capabilities = new Capabilities(memory, secret, new Nodes(memory, families));
    const tlb = new TlbKeeper(memory, machine.cpu.tlb);
    const bindings = {
      // What binds a frame pins it.
      taken: (env: number, ppn: number) => {
        if (memory.frame(ppn, FRAME.pins) === 0) return;
        for (const resource of environments.resources) resource.releaseFrame?.(env, ppn);
        disk.releaseFrame(env, ppn);
        registry.releaseFrame(env, ppn);
      },
      // A transfer ends by itself, and a cached block's frame is given up when one is needed; but one must not reach the other.
      freed: (ppn: number) => {
        for (const resource of environments.resources) resource.releaseFrame?.(undefined, ppn);
        registry.unheld(ppn);
      },
      costOfFreed: () =>
        COST_OF_LOOKING.fixed +
        families.used('rings') * COST_OF_LOOKING.ring +
        families.used('filters') * COST_OF_LOOKING.filter +
        families.used('predicates') * COST_OF_LOOKING.predicate,
      guarded: (ppn: number) => {
        predicates.guarded(ppn);
      },
    };
    const frames = new Frames(memory, { capabilities, families, tlb }, bindings);
    const slices = new Slices(memory, capabilities, families, () => this.machine.cycles);
    const natives = new Natives((asid, functions) => {
      machine.native.install(asid, functions);
    });
    const asids = new Asids(memory, tlb, natives, slices);
    const created = (id: number, parent: number): void => {
      this.#created(id, parent);
    };
    const condemned = (id: number, death: number): void => {
      this.#causes.condemned(id, death);
    };
    const ended = (env: number, death: number): void => {
      machine.announce('environment-end', env, death, memory.env(env, ENV.exit) | 0);
    };
    const environments = new Environments(memory, {
      frames,
      slices,
      families,
      tlb,
      capabilities,
      asids,
      natives,
      created,
      condemned,
      ended,
    });
    const filters = new Filters(memory, { frames, capabilities, families });
    const rings = new Rings(memory, { frames, capabilities, families }, (ring) => {
      filters.ringFreed(ring);
    });
    const predicates = new Predicates(memory, frames, families);
    const messages = new Messages(memory, frames);
    // There is one network, and it is never another.
    capabilities.guard('net', (name) => (name === 0 ? 0 : undefined));
    const serial = new Serial(memory, capabilities, families);
    const extents = new Extents(memory, capabilities, families);
    const goOn = (): void => {
      machine.cpu.cp0.cause |= INTERRUPT.blocks;
    };
    const disk = new Disk(memory, {
      frames,
      extents,
      capabilities,
      families,
      goOn,
      isDebtor: (env) => slices.isDebtor(env),
    });
    const registry = new Registry(memory, { frames, disk, extents, capabilities, families });
    const repossession = new Repossession(memory, { frames, slices, disk, extents, families });
    const revocation = new Revocation(memory, { slices, frames, families, registry, disk, repossession });
    // The disk hears of frames by `taken`: a frame without a holder must not be read into.
    const transfers = {
      release: (env: number) => {
        disk.release(env);
      },
    };
    environments.resources.push(predicates, messages, filters, rings, transfers, extents, serial, revocation);
    return {
      memory,
      families,
      capabilities,
      frames,
      slices,
      asids,
      natives,
      predicates,
      messages,
      environments,
      rings,
      filters,
      serial,
      extents,
      disk,
      diskBlocks: Math.floor((machine.diskSectors >>> 0) / SECTORS_PER_BLOCK),
      revocation,
      registry,
    };
  }

  /** Kernel page, exposed tables, native functions. */
  #install(schedule: number): void {
    const { machine, parts } = this;
    parts.memory.setKernelPage(KP.frames, parts.frames.count);
    for (const [field, value] of [
      [SYSTEM.ticksPerSecond, TICKS_PER_SECOND],
      [SYSTEM.hertz, machine.hz],
      [SYSTEM.frames, parts.frames.count],
    ] as const) {
      parts.memory.set(PHYSICAL.system + field, value);
    }
    parts.memory.setKernelPage(KP.noSlice, kernelPageAddress(KP.sliceDummy));
    parts.memory.setKernelPage(KP.payer, kernelPageAddress(KP.sliceDummy));
    parts.memory.setKernelPage(KP.sliceDummy + SLICE.owner, NO_ENV);
    const quantum = Math.ceil(machine.hz / TICKS_PER_SECOND);
    parts.memory.setKernelPage(KP.quantum, quantum);
    parts.memory.setKernelPage(KP.unpayableLimit, quantum >>> UNPAYABLE_SHIFT);
    parts.memory.setKernelPage(KP.inea, CSR0_INEA);
    parts.memory.setKernelPage(KP.resume, schedule);
    // Before the first position, which is the next.
    parts.memory.setKernelPage(KP.position, -SLICE_BYTES);
    for (const { table, bytes, count } of Object.values(STRUCTURES)) {
      this.#expose(EXPOSED[table as keyof typeof EXPOSED], bytes * (table === 'frames' ? parts.frames.count : count));
    }
    this.#expose(EXPOSED.filterCode, FILTER_CODE_BYTES);
    machine.native.install('kernel', this.#natives(), { stateless: true });
  }

  /** Every environment may map the frames of a table for reading. */
  #expose(table: number, bytes: number): void {
    const { frames } = this.parts;
    for (let at = table & -PAGE_BYTES; at < table + bytes; at += PAGE_BYTES)
      frames.expose(at / PAGE_BYTES, WELL_KNOWN_READ);
  }

  #natives(): NativeFunction[] {
    const { parts } = this;
    const natives: NativeFunction[] = [];
    for (const [number, run] of nativeCalls(parts)) natives[number] = run;
    natives[NATIVE.kill] = () => {
      const { memory, environments, slices } = parts;
      const env = memory.current;
      if (memory.payRest()) {
        memory.setKernelPage(KP.again, memory.kernelPage(KP.rest) > 0 ? 1 : 0);
        return;
      }
      environments.condemn(env, memory.kernelPage(KP.death));
      const ends = memory.affords(env, environments.costOfEnd(env));
      // One piece for each of its slices, or as many as the slice of another pays that it ends in, so that none waits long for it.
      const rests = ends || slices.lend(env);
      memory.setKernelPage(KP.again, rests ? 0 : 1);
      if (ends) environments.end(env, memory.env(env, ENV.death));
    };
    natives[NATIVE.panic] = () => {
      throw new AegisError('kernel-exception', 'the kernel took an exception of its own');
    };
    natives[NATIVE.serialInterrupt] = (cpu) => {
      parts.memory.charge(1, COSTS.device);
      parts.slices.charge(parts.serial.interrupt(cpu));
    };
    natives[NATIVE.diskInterrupt] = (cpu) => {
      this.machine.cpu.cp0.cause &= ~INTERRUPT.blocks;
      parts.memory.charge(1, COSTS.device);
      parts.slices.charge(parts.disk.interrupt(cpu));
    };
    natives[NATIVE.asid] = (cpu) => {
      parts.asids.give(envOf(cpu.registers[K1] ?? 0));
    };
    natives[NATIVE.tlbwr] = (cpu) => {
      cpu.registers[V0] = frameGranted(parts.frames, new Arguments(cpu));
    };
    natives[NATIVE.begin] = (cpu) => {
      const short = parts.slices.isShort(cpu.registers[T8] ?? 0);
      cpu.registers[K0] = parts.revocation.begin(envOf(cpu.registers[K1] ?? 0), short);
    };
    natives[NATIVE.redeem] = (cpu) => {
      cpu.registers[K0] = parts.slices.redeem(positionOf(cpu.registers[K1] ?? 0)) ? 1 : 0;
    };
    natives[NATIVE.revoke] = (cpu) => {
      parts.slices.charge(parts.revocation.due(cpu));
      parts.revocation.rests(parts.memory.cut());
    };
    natives[NATIVE.rest] = () => {
      parts.memory.payRest();
    };
    natives[NATIVE.boot] = (cpu) => {
      parts.serial.boot(cpu);
      parts.disk.boot(cpu);
      bootNetwork(cpu, parts.memory);
    };
    return natives.map((run, i) => (i <= NATIVE.kill ? bounded : counted)(parts.memory, run));
  }
}
