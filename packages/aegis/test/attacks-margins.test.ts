/** Attacks that did not succeed, at the margins: the longest step of a packet on the slowest machine, and a unit that is left in a state. */
import { CALLS, EXCEPTIONS, type CallName } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, K1, T0, V0, V1 } from '@exokernel/isa';
import { add } from '@exokernel/vcode';
import { expect, test } from 'vitest';
import { boot, emitCall, rawImage } from '../../testkit/src/index.ts';
import { INTERRUPT } from '../src/layout.ts';
import { bindFilter, download, makeRing, outside, packet, setBuffers } from './network.ts';
import { LONGEST, watchStretches, type Stretches } from './stretches.ts';

// Between handler and ring there is no pause: its answer and the copy to the application are one step. 19,392 cycles were seen.
test.each([
  ['dec3100', 620],
  ['dec3100', 630],
  ['dec5000', 690],
] as const)(
  'a handler on a %s that goes on for %i rounds, then answers long, and has the packet delivered in pieces',
  (profile, rounds) => {
    const net = outside();
    const handler = defineHandler('answers', { windowBytes: 0 }, (h) => {
      const x = h.code.local('x', 0);
      h.code.for('round', rounds, () => {
        h.code.set(x, add(x, 3));
      });
      // To all, so that it is wanted here, too.
      h.code.store(h.reply, 4, 'little', 0, 0xffffffff);
      h.code.store(h.reply, 2, 'little', 4, 0xffff);
      h.upcall(1514);
    });
    const watch: { stretches?: Stretches; longest?: number | undefined } = {};
    const image = rawImage({
      main: function* (raw) {
        const ring = yield* makeRing(raw, false, 2);
        const filter = yield* bindFilter(raw, ring.capability, 0x9000);
        const bytes = encodeHandler(handler);
        const attached = yield* download(raw, bytes, (code) =>
          raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
        );
        expect(attached).toBe(0);
        for (let i = 0; i < 4; i += 1) {
          const at = ring.at(i);
          yield* setBuffers(raw, ring, i, [...[0, 4, 8].map((n) => [at + n, 4] as const), [at + 12, 1520]]);
        }
        watch.stretches?.forget();
        for (let i = 0; i < 3; i += 1) {
          net.send(packet(0x9000, 1514, i));
          yield* raw.sleep(2);
        }
        watch.longest = watch.stretches?.longest;
        return 0;
      },
    });
    const booted = boot([image], { ...net.machine, profile });
    watch.stretches = watchStretches(booted.machine);
    expect(booted.finish(0)[0]).toMatchObject({ exit: 0, packetsIn: 3 });
    expect(watch.longest).toBeGreaterThan(LONGEST / 2);
    expect(watch.longest).toBeLessThanOrEqual(LONGEST);
  },
);

test.each(['acall', 'scall', 'yield', 'frame_alloc'] as const)(
  'an exception of the floating-point unit, raised right before %s, is not heard by whom that enters',
  (call: CallName) => {
    const victim = rawImage({
      entry: 'go',
      asyncEntry: 'entered',
      syncEntry: 'entered',
      handlers: { floatingPoint: undefined },
      emit: (a) => {
        a.label('go');
        a.b('go');
        a.nop();
        a.label('entered');
        a.li(A0, -1);
        emitCall(a, 'yield');
        a.b('entered');
        a.nop();
      },
    });
    const attacker = rawImage({
      entry: 'raise',
      handlers: { floatingPoint: 'raised' },
      emit: (a) => {
        a.label('raise');
        a.li(A0, 1);
        emitCall(a, 'fpu_mod');
        a.label('again');
        a.li(T0, 0x3ffff);
        a.li(A0, 0);
        a.li(V1, 0);
        a.li(V0, CALLS[call].number);
        // In the slot of a branch to the call, and right before it.
        a.b('call');
        a.ctc1(T0, 31);
        a.label('call');
        a.syscall(0);
        a.ctc1(T0, 31);
        a.syscall(0);
        a.b('again');
        a.nop();
        a.label('raised');
        a.move(K1, T0);
        a.jr(K1);
        a.li(T0, 0x3ffff);
      },
    });
    const booted = boot([victim, attacker]);
    const { machine } = booted;
    let raised = 0;
    machine.listen((kind, _cycle, a) => {
      const isInterrupt = kind === EVENT_KINDS.exception.kind && a === EXCEPTIONS.interrupt;
      if (isInterrupt && (machine.cpu.cp0.cause & INTERRUPT.fpu) !== 0) raised += 1;
    });
    machine.run(2_000_000);
    expect(machine.native.lastError).toBeUndefined();
    expect(booted.aegis.environment(0)).toMatchObject({ status: 'runnable' });
    expect(booted.aegis.environment(1)).toMatchObject({ status: 'runnable' });
    expect(raised).toBeGreaterThan(10);
  },
);
