/** Processes that talk: directed yields, shared memory, local RPC; strangers who enter them, and ends of slices everywhere. */
import { CALLS, DEATHS, ENV, ENV_LIMIT, ENV_STATUS } from '@exokernel/abi';
import { A0, A1, A2, A3, RA, S0, S1, S2, S3, S7, T0, T1, V0, V1, ZERO, register } from '@exokernel/isa';
import { compose, program, type Fiber } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { machine, type Image } from './machine.ts';
import { UEXOS, emitTrustedCall, emitTrustedReply, exos } from '../src/index.ts';
import {
  boot,
  checkInvariants,
  emitCall,
  exitOf,
  FIRST_FREE_FRAME,
  quicken,
  rawImage,
  type RawImage,
  SCRATCH,
} from '../../testkit/src/index.ts';

/** A server with three procedures (sum, count, and one that dawdles), and a client that calls them `rounds` times each. */
function callers(rounds: number): Image {
  return machine('callers', (a, call) => {
    call('process_fork');
    a.move(S1, V0);
    a.bnez(S1, 'client');
    ['sum', 'count', 'dawdle'].forEach((label, i) => {
      a.la(T0, label);
      a.sw(T0, 4 * i, S0);
    });
    a.move(A0, S0);
    a.li(A1, 3);
    call('lrpc_serve');
    a.label('sum');
    // A procedure keeps s0, as any does; whether it keeps the others is not the client's concern.
    for (let r = 17; r < 24; r += 1) a.li(register(r), -1);
    a.ret();
    a.addu(V0, A2, A3);
    a.label('count');
    a.lw(V0, UEXOS.program, ZERO);
    a.nop();
    a.addiu(V0, V0, 1);
    a.ret();
    a.sw(V0, UEXOS.program, ZERO);
    a.label('dawdle');
    a.li(T0, 300);
    a.label('dawdle.more');
    a.bnez(T0, 'dawdle.more');
    a.addiu(T0, T0, -1);
    a.ret();
    a.move(V0, A2);

    a.label('client');
    call('lrpc_bind');
    a.bnez(V0, 'wrong');
    a.move(A0, S1);
    call('lrpc_name');
    a.move(S1, V0);
    // Until the server awaits calls: before, it is busy.
    a.li(A0, 8);
    call('clock_sleep');
    a.li(S2, rounds);
    a.li(S7, 77);
    a.label('next');
    const ask = (procedure: number, answer: () => void): void => {
      const again = a.fresh('ask');
      a.label(again);
      a.move(A0, S1);
      a.li(A1, procedure);
      a.move(A2, S2);
      a.li(A3, 5);
      call('lrpc_call');
      if (procedure >= 0 && procedure < 3) {
        // Busy: it has answered late, and is not back yet. A call that was refused has not been made, or procedure 1 would count it.
        a.li(T0, -1);
        a.beq(V0, T0, again);
        a.nop();
      }
      answer();
      a.bne(V0, T0, 'wrong');
      a.nop();
    };
    ask(0, () => a.addiu(T0, S2, 5));
    ask(1, () => {
      a.li(T0, rounds + 1);
      a.subu(T0, T0, S2);
    });
    ask(2, () => a.move(T0, S2));
    // There is no such procedure: in the table, and beyond it.
    ask(3, () => a.li(T0, -1));
    ask(-1, () => a.li(T0, -1));
    a.addiu(S2, S2, -1);
    a.bnez(S2, 'next');
    a.nop();
    a.b('end');
    a.move(V0, S7);
    a.label('wrong');
    a.li(V0, 13);
  });
}

const KEPT = [16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 31].map(register);

/** One who transfers control to processes that have nothing to do with it, with a lie in every register; it counts refusals in SCRATCH, and ends with their number. */
function stranger(targets: readonly number[], transfers: readonly ('scall' | 'acall')[]): RawImage {
  return rawImage({
    name: 'stranger',
    syncEntry: 'answered',
    emit: (a) => {
      a.label('ask');
      for (const r of KEPT) a.sw(r, SCRATCH + 0x20 + 4 * r, ZERO);
      a.move(V1, A0);
      a.move(V0, A1);
      for (const r of [...KEPT, A0, A2, A3]) if (r !== RA) a.li(r, 0x123);
      a.move(A1, ZERO);
      a.syscall(0);
      a.label('answered');
      for (const r of KEPT) a.lw(r, SCRATCH + 0x20 + 4 * r, ZERO);
      a.move(V0, A0);
      a.ret();
      a.nop();
    },
    main: function* (raw) {
      let refused = 0;
      for (let i = 0; i < 400; i += 1) {
        for (const env of targets) {
          for (const name of transfers) {
            const answer = yield* raw.routine('ask', env, CALLS[name].number);
            if (answer === -1) refused += 1;
          }
        }
        yield* raw.fibers.store(SCRATCH, refused);
        yield* raw.routine('kit.yield', -1);
      }
      return refused;
    },
  });
}

describe('local RPC', () => {
  test('answers, refuses what it has not, and keeps every register, whenever slices end', () => {
    for (const hertz of [undefined, 1024, 8192] as const) {
      const booted = boot([callers(400)]);
      if (hertz !== undefined) quicken(booted, hertz);
      expect(booted.finish(0).map(exitOf), String(hertz)).toEqual([77]);
      expect(checkInvariants(booted.aegis)).toEqual([]);
    }
  });

  test('also of a server whose number has had others before: its name tells them apart', () => {
    const booted = boot([callers(20)]);
    const { memory } = booted.aegis.parts;
    memory.setEnv(1, ENV.generation, 5);
    expect(booted.finish(0).map(exitOf)).toEqual([77]);
    expect(memory.env(1, ENV.name)).toBe(0x80000000 + 128 * 5 + 1);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a stranger who calls client and server is refused, and changes nothing', () => {
    // Environments: the parent, the stranger, and the parent's child.
    const booted = boot([callers(2000), stranger([0, 2], ['scall'])]);
    quicken(booted, 1024);
    expect(booted.finish(0).map(exitOf)).toEqual([77]);
    // Its memory is gone if it has ended.
    const { status, exit } = booted.aegis.environment(1);
    expect(status === 'dead' ? exit : booted.word(1, SCRATCH)).toBeGreaterThan(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a stranger who gives them the processor changes nothing', () => {
    const booted = boot([callers(2000), stranger([0, 2], ['acall'])]);
    quicken(booted, 1024);
    expect(booted.finish(0).map(exitOf)).toEqual([77]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a client whose server has died is told, and goes on', () => {
    const image = compose(
      exos,
      program('widow', ['lrpc', 'processes', 'clock'], function* ({ lrpc, processes, clock }) {
        const server = yield* processes.fork(function* () {
          yield* clock.sleep(2);
          return 0;
        });
        if ((yield* lrpc.bind()) !== 0) return 1;
        // No entry for calls, then no life.
        if ((yield* lrpc.call(server, 0, 0, 0)) !== -1) return 2;
        yield* processes.wait();
        if ((yield* lrpc.call(server, 0, 0, 0)) !== -1) return 3;
        if ((yield* lrpc.call(-1, 0, 0, 0)) !== -1) return 4;
        return (yield* lrpc.call(1000, 0, 0, 0)) === -1 ? 0 : 5;
      }),
    );
    expect(boot([image]).finish(0).map(exitOf)).toEqual([0]);
  });

  test('also one whose server dies in the middle of its call', () => {
    const booted = boot([
      machine('widow', (a, call) => {
        call('process_fork');
        a.move(S1, V0);
        a.bnez(S1, 'client');
        a.la(T0, 'die');
        a.sw(T0, 0, S0);
        a.move(A0, S0);
        a.li(A1, 1);
        call('lrpc_serve');
        a.label('die');
        a.sw(ZERO, 0, ZERO);
        a.label('client');
        call('lrpc_bind');
        a.li(A0, 4);
        call('clock_sleep');
        a.li(S2, 40);
        a.move(A0, S1);
        a.move(A1, ZERO);
        call('lrpc_call');
        a.bltz(V0, 'end');
        a.addiu(V0, S2, 2);
        a.li(V0, 1);
      }),
    ]);
    expect(booted.finish(0).map(exitOf)).toEqual([42]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('and if another has the number of the dead one at once, its answer is none', () => {
    const booted = boot([
      machine('widow', (a, call) => {
        call('process_fork');
        a.move(S1, V0);
        a.bnez(S1, 'client');
        a.la(T0, 'die');
        a.sw(T0, 0, S0);
        a.move(A0, S0);
        a.li(A1, 1);
        call('lrpc_serve');
        a.label('die');
        a.sw(ZERO, 0, ZERO);
        a.label('client');
        call('lrpc_bind');
        a.move(A0, S1);
        call('lrpc_name');
        a.move(S1, V0);
        a.li(A0, 4);
        call('clock_sleep');
        a.li(S2, 40);
        a.move(A0, S1);
        a.move(A1, ZERO);
        call('lrpc_call');
        // Nor is it called: the name is the dead one's.
        a.bgez(V0, 'end');
        a.move(A0, S1);
        a.move(A1, ZERO);
        call('lrpc_call');
        a.bltz(V0, 'end');
        a.addiu(V0, S2, 2);
        a.li(V0, 1);
      }),
    ]);
    const { aegis, machine: computer } = booted;
    const { memory } = aegis.parts;
    while (memory.env(1, ENV.status) !== ENV_STATUS.dead) computer.run(50);
    // Its record is the only one that is left.
    for (let id = 2; id < ENV_LIMIT; id += 1) memory.setEnv(id, ENV.status, ENV_STATUS.embryo);
    expect(aegis.load(stranger([0], ['scall']))).toBe(1);
    for (let id = 2; id < ENV_LIMIT; id += 1) memory.setEnv(id, ENV.status, ENV_STATUS.free);
    expect(booted.finish(0).map(exitOf)).toEqual([42]);
    expect(checkInvariants(aegis)).toEqual([]);
  });

  test('a trusted server keeps the registers; its client takes no reply from anybody else', () => {
    const rounds = 3000;
    const image = machine('trusting', (a, call) => {
      call('process_fork');
      a.move(S1, V0);
      a.bnez(S1, 'client');
      a.li(A0, -1);
      a.la(A1, 'increment');
      call('lrpc_trust');
      a.label('increment');
      a.lw(A0, UEXOS.program, ZERO);
      a.nop();
      a.addiu(A0, A0, 1);
      a.sw(A0, UEXOS.program, ZERO);
      emitTrustedCall(a);
      a.label('client');
      a.move(A0, S1);
      a.la(A1, 'reply');
      call('lrpc_trust');
      a.bnez(V0, 'wrong');
      a.li(A0, 4);
      call('clock_sleep');
      a.move(V1, S1);
      a.li(S2, rounds);
      a.move(S3, ZERO);
      a.label('next');
      emitTrustedCall(a);
      a.b('wrong');
      a.nop();
      a.label('reply');
      emitTrustedReply(a, 'stranger');
      a.addiu(S3, S3, 1);
      a.bne(S3, S2, 'next');
      a.nop();
      a.bne(A0, S3, 'wrong');
      a.nop();
      a.b('end');
      a.li(V0, 42);
      a.label('stranger');
      a.li(A0, -1);
      emitTrustedCall(a);
      a.label('wrong');
      a.b('end');
      a.li(V0, 13);
    });
    const booted = boot([image]);
    expect(booted.finish(0).map(exitOf)).toEqual([42]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});

describe('directed yield and shared memory', () => {
  /** A counter in shared memory, from even to odd by the parent, to even by the child, up to 2 × rounds. */
  function counters(rounds: number): Image {
    return machine('counters', (a, call) => {
      call('process_self');
      a.sw(V0, 0, S0);
      call('shared_allocate');
      a.blez(V0, 'wrong');
      a.move(S1, V0);
      call('process_fork');
      a.move(S2, V0);
      a.move(S3, ZERO);
      a.bnez(S2, 'wait');
      a.nop();
      a.lw(S2, 0, S0);
      a.li(S3, 1);
      a.label('wait');
      a.lw(T0, 0, S1);
      a.li(T1, 2 * rounds);
      a.beq(T0, T1, 'done');
      a.andi(T1, T0, 1);
      a.bne(T1, S3, 'yield');
      a.addiu(T0, T0, 1);
      a.sw(T0, 0, S1);
      a.label('yield');
      a.move(A0, S2);
      call('process_yield');
      a.beqz(V0, 'wait');
      a.nop();
      a.label('wrong');
      a.b('end');
      a.li(V0, 13);
      a.label('done');
      a.li(V0, 42);
    });
  }

  test('hand a counter back and forth, whenever slices end', () => {
    for (const hertz of [undefined, 8192] as const) {
      const booted = boot([counters(3000)]);
      if (hertz !== undefined) quicken(booted, hertz);
      expect(booted.finish(0, 1).map(exitOf), String(hertz)).toEqual([42, 42]);
      expect(checkInvariants(booted.aegis)).toEqual([]);
    }
  });

  test('a stranger in between changes nothing', () => {
    const booted = boot([counters(3000), stranger([0, 2], ['acall', 'scall'])]);
    quicken(booted, 4096);
    expect(booted.finish(0, 2).map(exitOf)).toEqual([42, 42]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a yield to nobody, to oneself, to one who has no entry, comes back', () => {
    const image = compose(
      exos,
      program('yielder', ['processes'], function* ({ processes }) {
        for (const env of [-1, 0, 1, 2, 127, 128, 1000000]) yield* processes.yield(env);
        return 0;
      }),
    );
    const other = rawImage({
      entry: 'spin',
      emit: (a) => {
        a.label('spin');
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
    });
    expect(boot([image, other]).finish(0).map(exitOf)).toEqual([0]);
  });

  test('what is shared is not copied, what is not is', () => {
    const image = compose(
      exos,
      program('sharer', ['shared', 'memory', 'processes'], function* ({ shared, memory, processes }): Fiber<number> {
        const both = yield* shared.allocate();
        const own = yield* memory.allocate(4096);
        yield* memory.store(own, 1);
        yield* processes.fork(function* () {
          yield* memory.store(both, 5);
          yield* memory.store(own, 6);
          return 0;
        });
        yield* processes.wait();
        return 10 * (yield* memory.load(both)) + (yield* memory.load(own));
      }),
    );
    const booted = boot([image]);
    const [info] = booted.finish(0);
    expect(info).toMatchObject({ death: DEATHS.exit, exit: 51 });
    expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
  });
});
