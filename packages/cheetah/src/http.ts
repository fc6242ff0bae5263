/**
 * As much of HTTP/1.1 as a server of static files needs: one request head at a time, out of a byte stream.
 *
 * Sources: [RFC9112] (message syntax), [RFC9110] (methods, status codes), [RFC3986] (hosts). Bodies of requests are not read: a request that
 * announces one is refused and the connection closed. Parsing takes time proportional to the bytes, for any bytes, and
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
/** A host that is not empty, in brackets or a name, and perhaps a port: no user information, no other bytes [RFC3986 §3.2], [RFC9110 §7.2]. */
const AUTHORITY = /^(?:\[([^\]]*)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::\d*)?$/;
const FUTURE_ADDRESS = /^v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+$/i;
const HEX_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const DOTTED = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
/** Methods that a server knows, and this one does not allow [RFC9110 §9.1]. */
const KNOWN_METHODS = ['POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** The first request in `bytes`. */
export function parseRequest(bytes: Uint8Array): Request {
  // Empty lines before a request are skipped [RFC9112 §2.2].
  let start = 0;
  while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
  const end = headEnd(bytes, start);
  if (end === 'broken') return bad(400, isHead(bytes, start));
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
  const host = fields.get('host');
  if (hasBody || (host !== undefined ? !isAuthority(host) : minor !== '0')) return bad(400, head);
  const connection = (fields.get('connection') ?? '').split(',').map((option) => trimmed(option).toLowerCase());
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

/**
 * Index after the empty line; −1 if there is none yet; 'broken' if a line ends otherwise than by CR and LF, which is answered without
 * waiting for more: a peer that ends all its lines so has nothing more to say [RFC9112 §2.2].
 */
function headEnd(bytes: Uint8Array, start: number): number | 'broken' {
  let line = start;
  for (let i = start; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (byte === LF) return 'broken';
    if (byte !== CR || i + 1 === bytes.length) continue;
    if (bytes[i + 1] !== LF) return 'broken';
    if (i === line) return i + 2;
    i += 1;
    line = i + 1;
  }
  return -1;
}

/** Whether the request, which cannot be read, is one of HEAD. */
function isHead(bytes: Uint8Array, start: number): boolean {
  return String.fromCharCode(...bytes.subarray(start, start + 5)) === 'HEAD ';
}

/**
 * Path of a request target in origin or absolute form, decoded and without its query [RFC9112 §3.2]. A target has no fragment. Other
 * characters that a URI has only in escaped form are taken: browsers send some of them in queries.
 */
function pathOf(target: string): string | undefined {
  if (target.includes('#')) return undefined;
  const [, authority] = /^http:\/\/([^/?]*)/i.exec(target) ?? [];
  if (authority !== undefined && !isAuthority(authority)) return undefined;
  const [rest = ''] = target.slice(authority === undefined ? 0 : 'http://'.length + authority.length).split('?', 1);
  const path = authority !== undefined && rest === '' ? '/' : rest;
  if (!path.startsWith('/')) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** A host, and perhaps a port. */
function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  if (match === null) return false;
  const [, literal] = match;
  return literal === undefined || FUTURE_ADDRESS.test(literal) || isIpv6(literal);
}

/** Eight groups of 16 bits, the last two perhaps as an IPv4 address; `::` stands once for one or more that are 0 [RFC3986 §3.2.2]. */
function isIpv6(text: string): boolean {
  const sides = text.split('::');
  if (sides.length > 2) return false;
  let groups = 0;
  for (const [i, side] of sides.entries()) {
    const parts = side === '' ? [] : side.split(':');
    for (const [k, part] of parts.entries()) {
      const isLast = i === sides.length - 1 && k === parts.length - 1;
      if (!HEX_GROUP.test(part) && !(isLast && DOTTED.test(part))) return false;
      groups += part.includes('.') ? 2 : 1;
    }
  }
  return sides.length === 2 ? groups < 8 : groups === 8;
}

/** Without the white space that may surround a value: spaces and tabs, and no other [RFC9110 §5.6.3]. */
function trimmed(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && (text[from] === ' ' || text[from] === '\t')) from += 1;
  while (to > from && (text[to - 1] === ' ' || text[to - 1] === '\t')) to -= 1;
  return text.slice(from, to);
}

/** Field values by name in lower case; those of one name joined, which makes two hosts none. `undefined` for no fields. */
function headerFields(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = trimmed(line.slice(colon + 1));
    const before = fields.get(name);
    if (!TOKEN.test(name) || CONTROL.test(line)) return undefined;
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}
