/**
 * The builder of handlers: a vcode program builder with the regions in place and the ways to end.
 *
 * Effects outside the window take place only if the handler returns through `pass`, `consume` or `upcall`; falling off
 * the end is `pass`.
 */
import { add, defineProgram, ltu, or, shl } from '@exokernel/vcode';
import type { Local, Operand, Program, ProgramBuilder, RegionHandle } from '@exokernel/vcode';
import { CONSUME, PASS, UPCALL, type Verdict } from './contract.ts';
import { AshError } from './error.ts';

/** A handler: a program with the handler's signature, and the least window that it wants to be bound to. */
export interface Handler {
  readonly program: Program;
  /** In bytes. A shorter window is allowed; accesses outside abort the handler. */
  readonly windowBytes: number;
}

/** Offsets of the words that are copied at a time. */
const BLOCK = [0, 4, 8, 12] as const;

/** What `defineHandler` hands to its callback. */
export class HandlerBuilder {
  /** Statements, locals and control flow. */
  readonly code: ProgramBuilder;
  /** The frame that arrived. */
  readonly message: RegionHandle;
  /** The application's pinned memory. */
  readonly window: RegionHandle;
  /** Staging for the frame to send, `REPLY_BYTES` long; undefined contents. */
  readonly reply: RegionHandle;
  #words: readonly Local[] | undefined;

  constructor(code: ProgramBuilder) {
    this.code = code;
    this.message = code.region('message', 'r', { align: 4 });
    this.window = code.region('window', 'rw', { align: 4 });
    this.reply = code.region('reply', 'rw', { align: 4 });
  }

  /** Leaves the message to the normal path. */
  pass(): void {
    this.#end(PASS, 0);
  }

  /** Leaves the message to the normal path unless the condition holds. */
  passUnless(condition: Operand): void {
    this.code.if(
      condition,
      () => undefined,
      () => {
        this.pass();
      },
    );
  }

  /** Takes the message; sends the first `replyLength` bytes of the reply unless that is 0. */
  consume(replyLength: Operand = 0): void {
    this.#end(CONSUME, replyLength);
  }

  /** Takes the message, sends a reply like `consume`, and tells the application. */
  upcall(replyLength: Operand = 0): void {
    this.#end(UPCALL, replyLength);
  }

  /**
   * Copies the bytes from `at` to before `end` of the message to the same place in the reply. It copies at most about `most`
   * of them, also if `end` is farther. `at` is a local and moves; word copies are possible if all that it is ever set to are multiples
   * of 4.
   */
  copyToReply(at: Local, end: Operand, most: number): void {
    const { code, message, reply } = this;
    code.for('block', Math.ceil(most / 16), () => {
      code.if(ltu(end, add(at, 16)), () => {
        code.break();
      });
      this.#move(BLOCK.map((offset) => [4, at, offset, at, offset]));
      code.set(at, add(at, 16));
    });
    code.for('rest', 4, () => {
      code.if(ltu(end, add(at, 4)), () => {
        code.break();
      });
      code.store(reply, 4, 'little', at, message.le32(at));
      code.set(at, add(at, 4));
    });
    // The address of the last bytes is in a local of its own, so that the others keep their alignment.
    const last = code.local('last', at);
    code.for('byte', 4, () => {
      code.if(ltu(last, end), () => {
        code.store(reply, 1, 'little', last, message.u8(last));
        code.set(last, add(last, 1));
      });
    });
  }

  /** Copies fields of the message to the reply: sizes, then where to and where from. */
  copyFields(fields: readonly (readonly [size: 2 | 4, to: number, from: number])[]): void {
    for (let i = 0; i < fields.length; i += BLOCK.length) {
      this.#move(fields.slice(i, i + BLOCK.length).map(([size, to, from]) => [size, 0, to, 0, from]));
    }
  }

  /** Up to four moves, all loads before all stores: one test for each side, and no waiting for loads. */
  #move(
    moves: readonly (readonly [size: 2 | 4, to: Operand, toOffset: number, from: Operand, fromOffset: number])[],
  ): void {
    const { code, message, reply } = this;
    this.#words ??= BLOCK.map((offset) => code.local(`word${offset}`));
    const words = this.#words;
    const each = (use: (word: Local, move: (typeof moves)[number]) => void): void => {
      moves.forEach((move, i) => {
        const word = words[i];
        if (word !== undefined) use(word, move);
      });
    };
    each((word, [size, , , from, offset]) => {
      code.set(word, message.load(size, 'little', from, offset));
    });
    const [first] = moves;
    if (first !== undefined) code.require(reply, first[1], Math.max(...moves.map(([size, , offset]) => offset + size)));
    each((word, [size, to, offset]) => {
      code.store(reply, size, 'little', to, word, offset);
    });
  }

  #end(verdict: Verdict, replyLength: Operand): void {
    if (typeof replyLength === 'number') this.code.return(((replyLength << 16) | verdict) >>> 0);
    else this.code.return(or(shl(replyLength, 16), verdict));
  }
}

/** What a handler declares beside its code. */
export interface HandlerOptions {
  /** The least window, in bytes; 0 unless told. */
  readonly windowBytes?: number;
}

/** Builds a handler. Throws `AshError` `range` or `VcodeError` `malformed`. */
export function defineHandler(
  name: string,
  { windowBytes = 0 }: HandlerOptions,
  write: (h: HandlerBuilder) => void,
): Handler {
  checkWindow(windowBytes);
  const program = defineProgram(name, (code) => {
    const builder = new HandlerBuilder(code);
    write(builder);
    builder.pass();
  });
  return { program, windowBytes };
}

/** Throws `AshError` `range` unless this can be the size of a window. */
export function checkWindow(windowBytes: number): void {
  if (Number.isInteger(windowBytes) && windowBytes >= 0 && windowBytes <= 0x7fffffff) return;
  throw new AshError('range', `a window of ${windowBytes} bytes cannot be`, { windowBytes });
}
