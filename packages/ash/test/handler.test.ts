import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { ABORT_BOUNDS, ABORT_FUEL, add, defineProgram, encodeProgram } from '@exokernel/vcode';
import {
  AshError,
  checkHandler,
  CONSUME,
  decodeHandler,
  defineHandler,
  encodeHandler,
  instantiateHandler,
  PASS,
  REFUSED,
  REPLY_BYTES,
  replyLengthOf,
  resultWord,
  udpEcho,
  UPCALL,
  verdictOf,
  type Handler,
  type HandlerBuilder,
} from '../src/index.ts';
import { onMips } from './on-mips.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof AshError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

const handler = (write: (h: HandlerBuilder) => void, windowBytes = 16): Handler =>
  defineHandler('test', { windowBytes }, write);

describe('hostile handlers', () => {
  /** Writes to window and reply first, so that it shows what counts. */
  const began = (h: HandlerBuilder): void => {
    h.code.store(h.window, 4, 'little', 0, 0x11111111);
    h.code.store(h.reply, 4, 'little', 0, 0x22222222);
  };
  test.each<[string, (h: HandlerBuilder) => void, number]>([
    ['loops forever', (h) => h.code.while(1, () => undefined), ABORT_FUEL],
    ['loops longer than its fuel', (h) => h.code.for('i', 60_000, () => undefined), ABORT_FUEL],
    ['writes behind its window', (h) => h.code.store(h.window, 4, 'little', 13, 1), ABORT_BOUNDS],
    ['writes before its window', (h) => h.code.store(h.window, 4, 'little', h.code.local('x', -4), 1), ABORT_BOUNDS],
    ['reads behind the message', (h) => h.consume(h.message.u8(20)), ABORT_BOUNDS],
    ['writes behind the reply', (h) => h.code.store(h.reply, 1, 'little', REPLY_BYTES, 1), ABORT_BOUNDS],
    ['sends more than the reply holds', (h) => h.consume(REPLY_BYTES + 1), REFUSED],
    ['sends 65,535 bytes', (h) => h.consume(0xffff), REFUSED],
    ['returns a verdict that does not exist', (h) => h.code.return(3), REFUSED],
    ['returns bits that mean nothing', (h) => h.code.return(resultWord(CONSUME) | 0x100), REFUSED],
    ['gives up by itself', (h) => h.code.abort(20), 20],
  ])('%s: no effect but on its window', (_, write, status) => {
    const instance = instantiateHandler(
      handler((h) => {
        began(h);
        write(h);
        h.consume(4);
      }),
    );
    expect(instance.handle(new Uint8Array(20))).toBe(PASS);
    expect([instance.status, instance.replyLength, instance.reply.length]).toEqual([status, 0, 0]);
    expect([...instance.window.subarray(0, 5)]).toEqual([0x11, 0x11, 0x11, 0x11, 0]);
    // The next message finds a handler that works as before.
    expect(instance.handle(new Uint8Array(0))).toBe(PASS);
    expect(instance.fuelUsed).toBeGreaterThan(0);
  });
  test('time is bounded: the fuel is what the handler gets, to the instruction', () => {
    const endless = handler((h) =>
      h.code.while(1, () => h.code.store(h.window, 4, 'little', 0, add(h.window.le32(0), 1))),
    );
    for (const fuel of [200, 1000, 5000]) {
      const window = new Uint8Array(16);
      const { status, executed, fuelUsed } = onMips(endless, new Uint8Array(0), window, fuel);
      expect([status, fuelUsed]).toEqual([ABORT_FUEL, fuel]);
      expect(executed).toBeLessThan(fuel + 32);
      const instance = instantiateHandler(endless, { fuel });
      instance.handle(new Uint8Array(0));
      expect(instance.window).toEqual(window);
    }
  });
  test('messages and windows that cannot be', () => {
    const instance = instantiateHandler(udpEcho({ port: 7 }), { messageBytes: 100 });
    expect(code(() => instance.handle(new Uint8Array(101)))).toBe('range');
    expect(code(() => instance.run(101))).toBe('range');
    expect(code(() => instance.run(-1))).toBe('range');
    expect(code(() => instance.run(Number.NaN))).toBe('range');
    expect(code(() => handler((h) => h.pass(), -1))).toBe('range');
    expect(code(() => udpEcho({ port: 65536 }))).toBe('range');
    expect(code(() => udpEcho({ port: 7, counterOffset: 2 }))).toBe('range');
  });
});

describe('the check at installation', () => {
  const echo = udpEcho({ port: 7 });
  test('programs that are no handlers', () => {
    const other = [
      defineProgram('none', (b) => b.return(1)),
      defineProgram('two', (b) => {
        b.region('message', 'r');
        b.region('window', 'rw');
      }),
      defineProgram('writes the message', (b) => {
        for (const name of 'abc') b.region(name, 'rw');
      }),
      defineProgram('wants a skew', (b) => {
        b.region('a', 'r', { align: 4, skew: 2 });
        b.region('b', 'rw');
        b.region('c', 'rw');
      }),
      defineProgram('wants a parameter', (b) => {
        b.parameter('p');
        b.region('a', 'r');
        b.region('b', 'rw');
        b.region('c', 'rw');
      }),
    ];
    for (const program of other) expect(code(() => checkHandler(program, { fuel: 1e6 }))).toBe('signature');
    expect(code(() => encodeHandler({ program: other[0] ?? echo.program, windowBytes: 0 }))).toBe('signature');
  });
  test('what a handler needs, and limits one below it', () => {
    const {
      words,
      activationBytes,
      entryCost,
      maxCost = 0,
    } = checkHandler(echo.program, { fuel: 3000, mustFinish: true });
    expect(activationBytes).toBe(40);
    const enough = { fuel: maxCost, activationBytes, words, mustFinish: true };
    expect(() => checkHandler(echo.program, enough)).not.toThrow();
    for (const limits of [
      { ...enough, fuel: maxCost - 1 },
      { ...enough, activationBytes: activationBytes - 1 },
      { ...enough, words: words - 1 },
      { fuel: entryCost - 1 },
    ]) {
      expect(code(() => checkHandler(echo.program, limits))).toBe('limit');
    }
    expect(() => checkHandler(echo.program, { fuel: entryCost })).not.toThrow();
  });
  test('a while loop is allowed, unless it must finish', () => {
    const loop = handler((h) => h.code.while(h.message.length, () => undefined)).program;
    expect(checkHandler(loop, { fuel: 1000 }).maxCost).toBeUndefined();
    expect(code(() => checkHandler(loop, { fuel: 0x7fffffff, mustFinish: true }))).toBe('limit');
  });
  test('a program beyond the reach of branches', () => {
    const large = handler((h) => {
      for (let i = 0; i < 9000; i += 1) h.code.store(h.reply, 4, 'big', 0, i);
    });
    expect(code(() => checkHandler(large.program, { fuel: 1e6 }))).toBe('limit');
  });
});

describe('the bytes of a handler', () => {
  const echo = udpEcho({ port: 7, counterOffset: 0x1230 });
  const good = encodeHandler(echo);
  test('round trip', () => {
    const decoded = decodeHandler(good);
    expect(decoded.windowBytes).toBe(0x1234);
    expect(encodeProgram(decoded.program)).toEqual(encodeProgram(echo.program));
    expect(good.length).toBeLessThan(720);
  });
  test('every truncation is refused', () => {
    for (let length = 0; length < good.length; length += 1)
      expect(code(() => decodeHandler(good.subarray(0, length)))).toBe('malformed');
  });
  test('mutations are refused, or are handlers that keep the contract', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 2 }),
        fc.uint8Array({ maxLength: 80 }),
        (changes, frame) => {
          const bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          let decoded: Handler;
          try {
            decoded = decodeHandler(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(AshError);
            return;
          }
          accepted += 1;
          const instance = instantiateHandler({ ...decoded, windowBytes: 64 }, { fuel: 10_000 });
          expect([PASS, CONSUME, UPCALL]).toContain(instance.handle(frame));
          const { result, status } = onMips(decoded, frame, new Uint8Array(64), 10_000);
          expect(instance.status === REFUSED ? 0 : instance.status).toBe(status);
          if (instance.status === 0) expect(instance.replyLength).toBe(replyLengthOf(result));
        },
      ),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});

test('verdicts: pass, consume, upcall, and a reply with each that takes the message', () => {
  const program = handler((h) => {
    const kind = h.code.local('kind', h.message.u8(0));
    h.code.switch(kind, [
      [0, () => h.pass()],
      [1, () => h.consume(60)],
      [2, () => h.upcall(h.message.u8(1))],
      [3, () => h.consume()],
    ]);
  });
  const instance = instantiateHandler(program);
  const outcomes = [[0], [1], [2, 99], [3], [4]].map((bytes) => [
    instance.handle(Uint8Array.from(bytes)),
    instance.replyLength,
  ]);
  expect(outcomes).toEqual([
    [PASS, 0],
    [CONSUME, 60],
    [UPCALL, 99],
    [CONSUME, 0],
    [PASS, 0],
  ]);
  expect([verdictOf(resultWord(UPCALL, 1514)), replyLengthOf(resultWord(UPCALL, 1514))]).toEqual([UPCALL, 1514]);
});
