/**
 * Environments that call the kernel with anything, now and then with something valid, also with what they have from each other.
 */
import { CALLS, ENV, ERRORS, type CallName, type CapabilityWords } from '@exokernel/abi';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { A0, A1, V0, V1, ZERO, register, type Assembler } from '@exokernel/isa';
import {
  ANY_KIND,
  emitCall,
  KINDS,
  rawImage,
  WINDOW,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';

/** Words of the scratch page: whether this environment waits for an answer, and the registers of who waits. */
const WAITING = 0x4000;
const KEPT = 0x4010;
const CONTEXT = 0x1180;
const CONTEXT_PC = 0x1208;
const CALLEE_SAVED = [16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 31].map(register);

/** A number from 0 on, below `below`. */
export type Random = (below: number) => number;

/** Seeds that lie side by side begin with numbers that have nothing to do with each other: each bit of a seed changes half of all bits. */
export function generator(seed: number): Random {
  let x = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  x = x ^ (x >>> 16) || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** What the environments know of each other. */
export interface World {
  calls: number;
  /** They end when there were so many. */
  readonly wanted: number;
  readonly capabilities: CapabilityWords[];
  readonly answers: Map<string, number>;
  /** Told of a call that succeeded. */
  readonly succeeded?: (name: CallName, args: readonly number[]) => void;
}

/**
 * transfer(env, number): a protected control transfer to whoever, which answers or not. Who is entered without waiting for
 * anything answers the caller, unless `entered` emits what it does instead.
 */
export function emitTransfer(a: Assembler, entered: (a: Assembler) => void = () => undefined): void {
  a.label('transfer');
  CALLEE_SAVED.forEach((r) => {
    a.sw(r, KEPT + 4 * r, ZERO);
    a.sw(r, CONTEXT + 4 * r, ZERO);
  });
  a.sw(ZERO, CONTEXT + 4 * V0, ZERO);
  a.la(V1, 'transfer.resumed');
  a.sw(V1, CONTEXT_PC, ZERO);
  a.li(V1, 1);
  a.sw(V1, WAITING, ZERO);
  a.move(V1, A0);
  a.move(V0, A1);
  a.syscall(0);
  a.label('transfer.resumed');
  a.sw(ZERO, CONTEXT_PC, ZERO);
  a.sw(ZERO, WAITING, ZERO);
  a.ret();
  a.nop();
  a.label('entered');
  a.lw(V0, WAITING, ZERO);
  a.nop();
  a.bnez(V0, 'answered');
  a.nop();
  entered(a);
  emitCall(a, 'scall');
  // The caller is gone.
  a.li(A0, -1);
  emitCall(a, 'yield');
  a.label('answered');
  CALLEE_SAVED.forEach((r) => {
    a.lw(r, KEPT + 4 * r, ZERO);
  });
  a.b('transfer.resumed');
  a.move(V0, ZERO);
}

/** Puts bytes at the start of a frame, which another may take away meanwhile. */
export function* fill(raw: Raw, frame: RawFrame, bytes: Uint8Array): Fiber<void> {
  const words = new DataView(Uint8Array.from({ length: (bytes.length + 3) & ~3 }, (_, i) => bytes[i] ?? 0).buffer);
  yield* raw.bind(WINDOW, frame);
  for (let at = 0; at < words.byteLength; at += 4) yield* raw.poke(WINDOW + at, words.getInt32(at, true));
  yield* raw.code('tlbvad', WINDOW);
}

/** One that calls: what it does follows from `random`, and what it has it keeps here. */
export interface Caller {
  readonly raw: Raw;
  readonly random: Random;
  readonly world: World;
  /** Capabilities: the first ones are those of its image. */
  readonly own: CapabilityWords[];
}

/** What an image was granted; five capabilities. */
export function* granted(raw: Raw): Fiber<CapabilityWords[]> {
  return [
    yield* raw.granted('self'),
    yield* raw.granted('serial'),
    yield* raw.granted('extent'),
    yield* raw.granted('net'),
    [0, 0, 0, 0],
  ];
}

function* soak(raw: Raw, random: Random, world: World): Fiber<number> {
  const caller = { raw, random, world, own: yield* granted(raw) };
  while (world.calls < world.wanted) yield* callAnything(caller);
  return 0;
}

/** One call, any, with random arguments that are right now and then. */
export function* callAnything({ raw, random, world, own }: Caller): Fiber<void> {
  const filter = encodeFilter(etherType(0x9000 + random(4)));
  const pick = <T>(from: readonly T[]): T | undefined => from[random(from.length)];
  const capability = (argument: string): CapabilityWords => {
    const known4 = random(4) === 0 ? world.capabilities : own;
    const kind = KINDS[argument];
    // Mostly one of the kind that is wanted.
    const anyKind = kind === ANY_KIND || random(5) === 0;
    const known = pick(anyKind ? known4 : known4.filter(([head]) => head >>> 24 === kind));
    const [head, name, low, high] = known ?? [0, 0, 0, 0];
    // Now and then bent.
    return random(12) === 0
      ? [head ^ (1 << random(32)), name + random(2), low ^ random(2), high]
      : [head, name, low, high];
  };
  const word = (): number => {
    switch (random(8)) {
      case 0:
        return random(0x10000) * 0x10000 + random(0x10000);
      case 1:
        return -1;
      case 2:
        return -random(100);
      case 3:
        return 0x100 + random(0x1000);
      case 4:
        return (WINDOW + 4096 * random(24)) | random(16);
      case 5:
        return [0x14, 0x18, 0x1c, 0x20, 0x04, 0x60, 0x68, 0x6c, 0x10][random(9)] ?? 0;
      default:
        return random(40);
    }
  };
  const names = Object.entries(CALLS);
  world.calls += 1;
  // Every fourth is one that has never succeeded, so that all do in the end.
  const never = names.filter(([other]) => !world.answers.has(`${other} 0`));
  const [name, call] = pick(never.length > 0 && random(4) === 0 ? never : names) ?? ['null', CALLS.null];
  let code: number = ERRORS.E_OK;
  if (name === 'yield') yield* raw.routine('kit.yield', random(3) === 0 ? word() : random(5));
  else if (name === 'sleep') {
    const { value } = yield* raw.call('tick');
    // Never 0, which is for ever.
    yield* raw.routine('kit.sleep', value + 1 + random(2));
  } else if (name === 'scall' || name === 'acall') {
    code = yield* raw.routine('transfer', random(3) === 0 ? word() : random(5), call.number);
  } else {
    const args: number[] = [];
    for (const argument of call.args) {
      if (argument.endsWith(':4')) args.push(...capability(argument.slice(0, -2)));
      else for (let i = Number(/:(\d+)$/.exec(argument)?.[1] ?? 1); i > 0; i -= 1) args.push(word());
    }
    const kept = own[5 + random(Math.max(1, own.length - 5))];
    if (name === 'tlbwr' && kept !== undefined && random(3) > 0) {
      args.splice(1, 3, (kept[1] << 12) | (random(2) * 0x400 + 0x200), kept[2], kept[3]);
    }
    if (name === 'revoke' && random(2) === 0) args.splice(4, 3, random(2), 1 + random(3), random(2));
    // Its own entry points and its own end would end the soak, not the kernel.
    if (name === 'env_free' && args[0] === 0 && random(20) > 0) return;
    if (name === 'env_set' && (args[0] === 0 || args[1] === own[0]?.[1])) return;
    if (name === 'env_map' && args[0] === 0) args[8] = (WINDOW + 4096 * random(24)) | (random(16) & ~2);
    if (name === 'env_set' && random(2) === 0) {
      const child = yield* raw.call('env_alloc');
      const uPage = yield* raw.call('frame_alloc', -1);
      if (child.code === 0 && uPage.code === 0) {
        yield* raw.code('env_map', ...child.capability, ...uPage.capability, 0x1003);
        args.splice(0, 6, ...child.capability, ENV.prologue, 4 * random(0x1000));
      }
    }
    // Something that can be read, inserted, mapped, made dirty and written.
    if (name.startsWith('bc_'))
      for (let i = args.length - 1; i >= 0; i -= 1) if (call.args.at(i - args.length) === 'block') args[i] = random(16);
    if (name === 'ring_bind') args.splice(4, 2, random(2), 1 + random(4));
    if (name === 'disk_request' && random(2) === 0) {
      const frame = yield* raw.call('frame_alloc', -1);
      if (frame.code === 0) {
        own.push(frame.capability);
        const entries = [0, 1, 2].flatMap(() => [...frame.capability, random(16)]);
        const list = new Uint8Array(new Uint32Array(entries).buffer);
        yield* fill(raw, { ppn: frame.value, capability: frame.capability }, list);
        args.splice(0, 11, ...capability('extent'), ...frame.capability, 1 + random(3), random(2), random(16));
      }
    }
    if (name === 'filter_bind' && random(2) === 0) {
      const code4 = yield* raw.call('frame_alloc', -1);
      if (code4.code === 0) {
        own.push(code4.capability);
        yield* fill(raw, { ppn: code4.value, capability: code4.capability }, filter);
        args.splice(0, 10, ...code4.capability, ...capability('ring'), filter.length, random(4));
      }
    }
    const number = random(30) === 0 ? word() & ~3 & 0x30 : call.number;
    const answer = yield* raw.call(number, ...args);
    code = answer.code;
    if (code === 0 && number === call.number) world.succeeded?.(name as CallName, args);
    if (code === 0 && call.results.includes('capability:4' as never)) {
      own.push(answer.capability);
      if (random(3) === 0) world.capabilities.push(answer.capability);
      if (own.length > 60) own.splice(5, 20);
      if (world.capabilities.length > 60) world.capabilities.splice(0, 30);
    }
  }
  if (code > 0) throw new Error(`${name} answers ${code}`);
  const key = `${name} ${code}`;
  world.answers.set(key, (world.answers.get(key) ?? 0) + 1);
  if (random(8) === 0) yield* raw.poke(WINDOW + 4 * random(0x6000), random(100));
}

/** One of them: what it does follows from `seed`. */
export function soaker(seed: number, world: World): RawImage {
  return rawImage({
    name: `soak ${seed}`,
    main: (raw) => soak(raw, generator(seed), world),
    emit: emitTransfer,
    syncEntry: 'entered',
    asyncEntry: 'entered',
    extent: { start: 0, blocks: 16, shared: true },
    tap: true,
  });
}
