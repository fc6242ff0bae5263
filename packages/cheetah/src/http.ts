/**
 * As much of HTTP/1.1 as a server of static files needs: one request head at a time, out of a byte stream.
 *
 * Source: RFC 9112 (message syntax), RFC 9110 (methods, status codes). Bodies of requests are not read: a request that
 * announces one is refused and the connection closed.
 */
import { decodeUtf8, encodeUtf8 } from '@exokernel/libos-kit';

/** Longest request head. Assumption: what other servers take. */
export const HEAD_BYTES_MAX = 8192;

export type Request =
  | { readonly kind: 'request'; readonly head: boolean; readonly path: string; readonly keepAlive: boolean; readonly bytes: number }
  | { readonly kind: 'bad'; readonly status: keyof typeof STATUS }
  | { readonly kind: 'incomplete' };

const STATUS = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  505: 'HTTP Version Not Supported',
} as const;

export type ErrorStatus = keyof typeof STATUS;

const CR = 13;
const LF = 10;

/** The first request in `bytes`. */
export function parseRequest(bytes: Uint8Array): Request {
  const end = headEnd(bytes);
  if (end < 0) return bytes.length > HEAD_BYTES_MAX ? { kind: 'bad', status: 431 } : { kind: 'incomplete' };
  if (end > HEAD_BYTES_MAX) return { kind: 'bad', status: 431 };
  const [first = '', ...fields] = decodeUtf8(bytes.subarray(0, end - 4)).split('\r\n');
  const line = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/(\d)\.(\d)$/.exec(first);
  if (line === null) return { kind: 'bad', status: 400 };
  const [, method = '', target = '', major, minor] = line;
  if (major !== '1') return { kind: 'bad', status: 505 };
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'bad', status: 405 };
  const path = pathOf(target);
  const headers = headerFields(fields);
  if (path === undefined || headers === undefined) return { kind: 'bad', status: 400 };
  const hasBody = headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0';
  if (hasBody || (minor !== '0' && !headers.has('host'))) return { kind: 'bad', status: 400 };
  const connection = (headers.get('connection') ?? '').toLowerCase().split(/\s*,\s*/);
  // An HTTP/1.0 client that wants to keep the connection would have to be told so in the response: it is closed.
  const keepAlive = minor !== '0' && !connection.includes('close');
  return { kind: 'request', head: method === 'HEAD', path, keepAlive, bytes: end };
}

/** A whole response for an error; the connection closes after it. */
export function errorResponse(status: ErrorStatus, keepAlive: boolean, head: boolean): Uint8Array {
  const body = `${status} ${STATUS[status]}\n`;
  const connection = keepAlive ? '' : 'Connection: close\r\n';
  const allow = status === 405 ? 'Allow: GET, HEAD\r\n' : '';
  return encodeUtf8(
    `HTTP/1.1 ${status} ${STATUS[status]}\r\nServer: Cheetah\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n${allow}${connection}\r\n${head ? '' : body}`,
  );
}

/** Index after the empty line, or −1. */
function headEnd(bytes: Uint8Array): number {
  for (let i = bytes.indexOf(CR); i >= 0 && i + 3 < bytes.length; i = bytes.indexOf(CR, i + 1)) {
    if (bytes[i + 1] === LF && bytes[i + 2] === CR && bytes[i + 3] === LF) return i + 4;
  }
  return -1;
}

/** Path of a request target, decoded and without its query. */
function pathOf(target: string): string | undefined {
  const absolute = target.replace(/^http:\/\/[^/]*/i, '');
  const [path = ''] = (absolute === '' ? '/' : absolute).split(/[?#]/, 1);
  if (!path.startsWith('/')) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function headerFields(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) return undefined;
    const name = (field[1] ?? '').toLowerCase();
    const before = fields.get(name);
    fields.set(name, before === undefined ? (field[2] ?? '') : `${before}, ${field[2] ?? ''}`);
  }
  return fields;
}
