/** ASH: message handlers, bounded in memory and time. */
export {
  CONSUME,
  isValidResult,
  MESSAGE,
  PASS,
  REPLY,
  REPLY_BYTES,
  replyLengthOf,
  resultWord,
  UPCALL,
  verdictOf,
  WINDOW,
  type Verdict,
} from './contract.ts';
export { defineHandler, HandlerBuilder, type Handler, type HandlerOptions } from './define.ts';
export { checkHandler, type HandlerLimits, type HandlerMetrics } from './check.ts';
export { decodeHandler, encodeHandler } from './encoding.ts';
export { HandlerInstance, instantiateHandler, REFUSED, type InstanceOptions } from './host.ts';
export { remoteIncrement, udpEcho, type UdpService } from './udp.ts';
export { AshError, type AshErrorCode } from './error.ts';
