/**
 * As much of HTTP/1.1 as a server of static files needs: one request head at a time, out of a byte stream.
 *
 * Sources: [RFC9112] (message syntax), [RFC9110] (methods, status codes). Bodies of requests are not read: a request that
 * announces one is refused and the connection closed. Whatever the bytes, parsing takes time proportional to them, and
 * never throws.
 */
import { encodeUtf8 } from '@exokernel/libos-kit';

/** Longest request head. Assumption: what other servers take. */
export const HEAD_BYTES_MAX = 8192;

/** What the bytes of a connection begin with: a request, something else (`head`: to be answered without a body), or too little. */
export type Request =
  | {
      readonly kind: 'request';
      readonly head: boolean;
      readonly path: string;
      readonly keepAlive: boolean;
      readonly bytes: number;
    }
  | { readonly kind: 'bad'; readonly status: ErrorStatus; readonly head: boolean }
  | { readonly kind: 'incomplete' };

const STATUS = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
} as const;

export type ErrorStatus = keyof typeof STATUS;

const CR = 13;
const LF = 10;

/** [RFC9110 §5.6.2] */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What no field line holds: control characters but the tab [RFC9110 §5.5]. */
const CONTROL = /[^\t\x20-\x7e\x80-\xff]/;
/** A host and perhaps a port, or nothing [RFC9110 §7.2]. */
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:\d*)?$/;
/** Methods that a server knows, and this one does not allow [RFC9110 §9.1]. */
const KNOWN_METHODS = ['POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** The first request in `bytes`. */
export function parseRequest(bytes: Uint8Array): Request {
  // Empty lines before a request are skipped [RFC9112 §2.2].
  let start = 0;
  while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
  const end = headEnd(bytes, start);
  if (end < 0 && bytes.length <= HEAD_BYTES_MAX) return { kind: 'incomplete' };
  if (end < 0 || end > HEAD_BYTES_MAX) {
    const lineEnd = bytes.indexOf(LF, start);
    return bad(lineEnd < 0 || lineEnd >= HEAD_BYTES_MAX ? 414 : 431);
  }
  // One character per byte: what is not ASCII is opaque [RFC9110 §5.5].
  const [first = '', ...lines] = String.fromCharCode(...bytes.subarray(start, end - 4)).split('\r\n');
  const line = /^(\S+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/.exec(first);
  const [, method = '', target = '', major, minor] = line ?? [];
  const head = method === 'HEAD';
  if (!TOKEN.test(method)) return bad(400);
  if (major !== '1') return bad(505, head);
  if (method !== 'GET' && !head) return bad(KNOWN_METHODS.includes(method) ? 405 : 501);
  const path = pathOf(target);
  const fields = headerFields(lines);
  if (path === undefined || fields === undefined) return bad(400, head);
  const hasBody = fields.has('transfer-encoding') || (fields.get('content-length') ?? '0') !== '0';
  const host = fields.get('host') ?? (minor === '0' ? '' : undefined);
  if (hasBody || host === undefined || !HOST.test(host)) return bad(400, head);
  const connection = (fields.get('connection') ?? '').split(',').map((option) => option.trim().toLowerCase());
  // An HTTP/1.0 client that wants to keep the connection would have to be told so in the response: it is closed.
  const keepAlive = minor !== '0' && !connection.includes('close');
  return { kind: 'request', head, path, keepAlive, bytes: end };
}

/** A whole response for an error, without its body in answer to HEAD. */
export function errorResponse(status: ErrorStatus, keepAlive: boolean, head: boolean): Uint8Array {
  const body = `${status} ${STATUS[status]}\n`;
  const connection = keepAlive ? '' : 'Connection: close\r\n';
  const allow = status === 405 ? 'Allow: GET, HEAD\r\n' : '';
  return encodeUtf8(
    `HTTP/1.1 ${status} ${STATUS[status]}\r\nServer: Cheetah\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n${allow}${connection}\r\n${head ? '' : body}`,
  );
}

function bad(status: ErrorStatus, head = false): Request {
  return { kind: 'bad', status, head };
}

/** Index after the empty line, or −1. */
function headEnd(bytes: Uint8Array, start: number): number {
  for (let i = bytes.indexOf(CR, start); i >= 0 && i + 3 < bytes.length; i = bytes.indexOf(CR, i + 1)) {
    if (bytes[i + 1] === LF && bytes[i + 2] === CR && bytes[i + 3] === LF) return i + 4;
  }
  return -1;
}

/** Path of a request target in origin or absolute form, decoded and without its query [RFC9112 §3.2]. */
function pathOf(target: string): string | undefined {
  const [authority = ''] = /^http:\/\/[^/?#]+/i.exec(target) ?? [];
  const [rest = ''] = target.slice(authority.length).split(/[?#]/, 1);
  const path = authority !== '' && rest === '' ? '/' : rest;
  if (!path.startsWith('/')) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Field values by name in lower case; those of one name joined, which makes two hosts none. `undefined` for no fields. */
function headerFields(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    if (!TOKEN.test(name) || CONTROL.test(line)) return undefined;
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}
