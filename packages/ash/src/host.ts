/**
 * Handlers on a WebAssembly host: a runner that keeps the contract.
 *
 * Write a frame into `message` (or let `handle` copy it) and call `run`. A handler that aborts, or returns a result that the
 * contract does not know, has had no effect but on its window. The verdict is then `PASS`, without a reply. Nothing is allocated per run. The views stay valid; what `reply` holds is overwritten by the next run.
 */
import { createMemory, instantiate, RETURNED, type Instance } from '@exokernel/vcode';
import { checkHandler } from './check.ts';
import { isValidResult, PASS, REPLY_BYTES, replyLengthOf, verdictOf } from './contract.ts';
import { checkWindow, type Handler } from './define.ts';
import { AshError } from './error.ts';

/** Status of a run whose result word was refused; other values are those of vcode. */
export const REFUSED = -1;

/** How a handler is run on the host. */
export interface InstanceOptions {
  /** Fuel of each run, in MIPS instructions; 100,000 unless told. */
  readonly fuel?: number;
  /** Size of the window; what the handler asks for unless told. */
  readonly windowBytes?: number;
  /** Longest message; 2,048 bytes unless told. */
  readonly messageBytes?: number;
}

/** The reply is not at 0: an address that is forgotten somewhere should not hit it. */
const REPLY_AT = 16;
const align = (bytes: number): number => (bytes + 15) & ~15;

/** A handler with its memory. Made by `instantiateHandler`. */
export class HandlerInstance {
  /** Where the next message is put. */
  readonly message: Uint8Array;
  /** The application's memory: shared with the handler between runs. */
  readonly window: Uint8Array;
  readonly #reply: Uint8Array;
  readonly #instance: Instance;
  readonly #run: Instance['run'];
  readonly #fuel: number;
  readonly #windowAt: number;
  readonly #messageAt: number;
  /** How the last run ended: 0 returned, an abort code of vcode, or `REFUSED`. */
  status = 0;
  /** Bytes of the last run's reply, 0 for none. */
  replyLength = 0;

  constructor(handler: Handler, options: InstanceOptions) {
    const { fuel = 100_000, windowBytes = handler.windowBytes, messageBytes = 2048 } = options;
    checkHandler(handler.program, { fuel });
    checkWindow(windowBytes);
    checkWindow(messageBytes);
    const windowAt = REPLY_AT + align(REPLY_BYTES);
    const messageAt = windowAt + align(windowBytes);
    const memory = createMemory(messageAt + messageBytes);
    this.#reply = new Uint8Array(memory.buffer, REPLY_AT, REPLY_BYTES);
    this.window = new Uint8Array(memory.buffer, windowAt, windowBytes);
    this.message = new Uint8Array(memory.buffer, messageAt, messageBytes);
    this.#instance = instantiate(handler.program, memory);
    this.#run = this.#instance.run;
    this.#fuel = fuel;
    this.#windowAt = windowAt;
    this.#messageAt = messageAt;
  }

  /** Fuel that the last run used, in MIPS instructions. */
  get fuelUsed(): number {
    return this.#fuel - this.#instance.fuel();
  }

  /** The last run's reply: a view, empty if there is none. */
  get reply(): Uint8Array {
    return this.#reply.subarray(0, this.replyLength);
  }

  /** Runs the handler on the first `length` bytes of `message`; gives the verdict. Throws `AshError` `range`. */
  run(length: number): number {
    const { message, window } = this;
    if (!Number.isInteger(length) || length < 0 || length > message.length) {
      throw new AshError('range', `a message of ${length} bytes does not fit ${message.length}`, { length });
    }
    const { length: windowBytes } = window;
    const result = this.#run(this.#fuel, this.#messageAt, length, this.#windowAt, windowBytes, REPLY_AT, REPLY_BYTES);
    this.status = this.#instance.status();
    if (this.status === RETURNED && !isValidResult(result)) this.status = REFUSED;
    this.replyLength = this.status === RETURNED ? replyLengthOf(result) : 0;
    return this.status === RETURNED ? verdictOf(result) : PASS;
  }

  /** Copies a frame into `message` and runs. Throws `AshError` `range`. */
  handle(frame: Uint8Array): number {
    if (frame.length > this.message.length) {
      throw new AshError('range', `a message of ${frame.length} bytes does not fit ${this.message.length}`);
    }
    this.message.set(frame);
    return this.run(frame.length);
  }
}

/** A runner for a handler. Throws `AshError` `signature`, `limit`, `range`. */
export function instantiateHandler(handler: Handler, options: InstanceOptions = {}): HandlerInstance {
  return new HandlerInstance(handler, options);
}
