/**
 * A family with more members than there are ASIDs, which yield to each other just before each tick: the clock ticks in the window of the kernel in
 * which the next one gets its ASID. The slice is over all the same: others have theirs. Nor does a later interrupt of the kernel come back to that
 * window: an environment that has left would get a second ASID, and the next one that has that its translations.
 */
import { ENV, ENV_STATUS, type CapabilityWords } from '@exokernel/abi';
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, A1, T0, T1, V1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  BystanderWatch,
  boot,
  bystander,
  checkInvariants,
  emitCall,
  rawImage,
  type RawImage,
} from '../../testkit/src/index.ts';
import { kernelImage } from '../src/kernel-image.ts';
import { KP } from '../src/layout.ts';

const CHILDREN = 70;
const SHARED = 0x4000;
const NEXT = 0x1480;
/** Status.KUc. */
const USER = 2;

/** Turns of three cycles: from the begin of a slice, and from that of a member that has just got its ASID, up to 31 cycles before the tick. */
const FIRST = 130_068;
const TURNS = 125_443;
const TICKS = 200;
const QUANTUM = 390_625;

test.each([-12, 0])('the clock is heard in the window in which an environment gets its ASID: %i', (more) => {
  let begun = 0;
  const maker: RawImage = rawImage({
    name: 'maker',
    emit: (a) => {
      a.label('strike');
      // As few translations as a member has: clearing more would take longer when it loses its ASID.
      a.move(A0, ZERO);
      a.li(A1, 1024);
      emitCall(a, 'tlbvad_range');
      emitCall(a, 'tick');
      a.move(T1, V1);
      a.label('edge');
      emitCall(a, 'tick');
      a.beq(V1, T1, 'edge');
      a.nop();
      a.li(T0, FIRST + more);
      a.label('first');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'first');
      a.nop();
      a.lw(A0, SHARED, ZERO);
      emitCall(a, 'yield');
      a.label('child');
      a.li(T0, TURNS);
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.lw(A0, NEXT, ZERO);
      emitCall(a, 'yield');
      a.label('late');
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
    main: function* (raw) {
      const segments: CapabilityWords[] = [];
      for (let i = 0; i < 2; i += 1) segments.push(yield* raw.segment(i));
      const children: { env: number; self: CapabilityWords; frame: { ppn: number; capability: CapabilityWords } }[] =
        [];
      for (let i = 0; i < CHILDREN; i += 1) {
        const child = yield* raw.call('env_alloc');
        expect(child.code).toBe(0);
        children.push({ env: child.value, self: child.capability, frame: yield* raw.frame() });
      }
      for (const [i, { self, frame }] of children.entries()) {
        const page = new Uint8Array(4096);
        new DataView(page.buffer).setUint32(NEXT % 4096, children[(i + 1) % CHILDREN]?.env ?? 0, true);
        yield* raw.fill(frame, page);
        expect(yield* raw.code('env_map', ...self, ...frame.capability, 0x1003)).toBe(0);
        for (const [n, segment] of segments.entries()) {
          expect(yield* raw.code('env_map', ...self, ...segment, 0x2000 + 0x1000 * n)).toBe(0);
        }
        const at = (label: string): number => maker.runtime.symbols.get(label) ?? 0;
        expect(yield* raw.code('env_set', ...self, ENV.prologue, at('child'))).toBe(0);
        expect(yield* raw.code('env_set', ...self, ENV.epilogue, at('late'))).toBe(0);
        expect(yield* raw.code('env_set', ...self, ENV.status, ENV_STATUS.runnable)).toBe(0);
      }
      // Those that were started last have no ASID: begin with the first of them.
      yield* raw.fibers.store(SHARED, children[64]?.env ?? 0);
      begun = 1;
      return yield* raw.routine('strike');
    },
  });
  const booted = boot([bystander(), maker]);
  booted.runUntil(() => begun === 1, 60);
  expect(booted.machine.native.lastError).toBeUndefined();
  const watch = new BystanderWatch(booted.aegis, 0);
  let since = booted.machine.cycles;
  let longest = 0;
  const { memory } = booted.aegis.parts;
  const resumed = new Set<number>();
  booted.machine.listen((kind, cycle, a) => {
    if (kind !== EVENT_KINDS.return.kind || (a & USER) === 0) return;
    resumed.add(memory.kernelPage(KP.resume));
    if (memory.current !== 0) return;
    longest = Math.max(longest, cycle - since);
    since = cycle;
  });
  for (let i = 0; i < TICKS; i += 1) {
    booted.machine.run(QUANTUM);
    watch.look();
  }
  longest = Math.max(longest, booted.machine.cycles - since);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect([...resumed]).toEqual([kernelImage().symbols.get('schedule')]);
  // Of two slices in the vector one is the bystander's.
  expect({
    isLong: longest > 10 * QUANTUM,
    ticks: Math.round(longest / QUANTUM),
    damage: watch.damage(),
  }).toMatchObject({
    isLong: false,
    damage: [],
  });
});
