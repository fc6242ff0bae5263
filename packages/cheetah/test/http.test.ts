/** HTTP/1.1 request heads, as RFC 9112 and RFC 9110 want them read, and as nobody should send them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD_BYTES_MAX, errorResponse, parseRequest, type ErrorStatus, type Request } from '../src/http.ts';

/** One byte per character. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function parse(text: string): Request {
  return parseRequest(bytes(text));
}

function status(text: string): ErrorStatus | string {
  const request = parse(text);
  return request.kind === 'bad' ? request.status : request.kind;
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A GET with these field lines. */
function withFields(...lines: string[]): string {
  return `GET / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
}

function pathOf(target: string, version = '1.1'): string | number {
  const request = parse(`GET ${target} HTTP/${version}\r\nHost: a\r\n\r\n`);
  return request.kind === 'request' ? request.path : request.kind === 'bad' ? request.status : NaN;
}

describe('refused', () => {
  test.each<[string, string, ErrorStatus]>([
    ['no request line', '\r\nHost: a\r\n\r\n', 400],
    ['no version (HTTP/0.9)', 'GET /\r\n\r\n', 400],
    ['a method alone', 'GET\r\n\r\n', 400],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a space before', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a space behind', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a tab for a space', 'GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a NUL in the method', 'G\0T / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['no method but punctuation', '"GET" / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['bytes above ASCII in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a version in lower case', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400],
    ['a version of many digits', 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', 400],
    ['HTTP/0.9 by name', 'GET / HTTP/0.9\r\nHost: a\r\n\r\n', 505],
    ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['POST', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx', 405],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['a method nobody knows', 'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['methods are case-sensitive', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    // RFC 9112 §3.2
    ['HTTP/1.1 without Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', withFields('Host: a', 'Host: a'), 400],
    ['two Hosts in HTTP/1.0 too', 'GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n', 400],
    ['a Host with a path', withFields('Host: a/b'), 400],
    ['a Host with a user', withFields('Host: me@a'), 400],
    ['a Host with a port of letters', withFields('Host: a:http'), 400],
    ['an empty Host', withFields('Host:'), 400],
    ['an empty Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: \r\n\r\n', 400],
    ['a Host of white space', withFields('Host: \t '), 400],
    ['a Host that is a port', withFields('Host: :80'), 400],
    ['a Host with a bad escape', withFields('Host: a%2'), 400],
    ['a Host with a fragment', withFields('Host: a#b'), 400],
    ['a Host with a query', withFields('Host: a?b'), 400],
    ['a Host of two', withFields('Host: a b'), 400],
    ['a Host of two, with a comma and a space', withFields('Host: a, b'), 400],
    ...[
      '[',
      '[]',
      '[:]',
      '[:::]',
      '[1]',
      '[::1::]',
      '[12345::]',
      '[g::]',
      '[1:2:3:4:5:6:7:8:9]',
      '[1:2:3:4:5:6:7:8::]',
    ].map((host) => [`the Host ${host}`, withFields(`Host: ${host}`), 400] as [string, string, ErrorStatus]),
    ...[
      '[::10.0.0.256]',
      '[::10.0.0]',
      '[10.0.0.1::]',
      '[1:2:3:4:5:6:7:10.0.0.1]',
      '[v.a]',
      '[v1.]',
      '[1:]',
      '[:1]',
    ].map((host) => [`the Host ${host}`, withFields(`Host: ${host}`), 400] as [string, string, ErrorStatus]),
    // RFC 9110 §5.5, §5.6.3: only spaces and tabs surround a value.
    ...['\xa0', '\x85', '\v', '\f', '\xff'].flatMap((white): [string, string, ErrorStatus][] => [
      [`0x${white.charCodeAt(0).toString(16)} for a Host`, withFields(`Host: ${white}`), 400],
      [`0x${white.charCodeAt(0).toString(16)} before a Host`, withFields(`Host:${white}a`), 400],
      [`0x${white.charCodeAt(0).toString(16)} behind a Host`, withFields(`Host: a${white}`), 400],
      [
        `0x${white.charCodeAt(0).toString(16)} before a length of 0`,
        withFields('Host: a', `Content-Length: ${white}0`),
        400,
      ],
    ]),
    // RFC 9112 §5
    ['a line that is no field', withFields('Host: a', 'nonsense'), 400],
    ['a field without a name', withFields('Host: a', ': x'), 400],
    ['a space before the colon', withFields('Host : a'), 400],
    ['a folded line', withFields('Host: a', 'X: 1', ' 2'), 400],
    ['a space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
    ['a name of non-token characters', withFields('Host: a', 'X(1): 2'), 400],
    ['a name above ASCII', withFields('Host: a', '\xe9: 2'), 400],
    ['a NUL in a value', withFields('Host: a', 'X: \0'), 400],
    ['a bare CR in a value', withFields('Host: a', 'X: a\rb'), 400],
    ['a bare LF in a value', withFields('Host: a', 'X: a\nb: c'), 400],
    ['a bare LF at the end of a value', withFields('Host: a', 'X: a\n'), 400],
    ['a bare CR at the start of a value', withFields('Host: a', 'X:\ra'), 400],
    ['a DEL in a value', withFields('Host: a', 'X: \x7f'), 400],
    ['a vertical tab in a value', withFields('Host: a', 'X: \v'), 400],
    ['lines that end in LF alone, but the last', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
    // RFC 9112 §6
    ['a body', withFields('Host: a', 'Content-Length: 5'), 400],
    ['a chunked body', withFields('Host: a', 'Transfer-Encoding: chunked'), 400],
    ['both, as smugglers send them', withFields('Host: a', 'Content-Length: 0', 'Transfer-Encoding: chunked'), 400],
    ['Content-Length twice', withFields('Host: a', 'Content-Length: 0', 'Content-Length: 7'), 400],
    ['Content-Length twice, equal', withFields('Host: a', 'Content-Length: 0', 'Content-Length: 0'), 400],
    ['a negative Content-Length', withFields('Host: a', 'Content-Length: -1'), 400],
    ['an empty Content-Length', withFields('Host: a', 'Content-Length:'), 400],
    ['a Content-Length with a sign', withFields('Host: a', 'Content-Length: +0'), 400],
  ])('%s', (_, text, expected) => {
    expect(status(text)).toBe(expected);
  });

  test.each([
    ['%', 400],
    ['/%', 400],
    ['/%2', 400],
    ['/%zz', 400],
    ['/%ff', 400],
    ['/%c0%ae%c0%ae/', 400],
    ['/%ed%a0%80', 400],
    ['*', 400],
    ['index.html', 400],
    ['?x', 400],
    ['https://a/', 400],
    ['ftp://a/', 400],
    ['http://', 400],
    ['http:///index.html', 400],
    ['//a/b', '//a/b'],
    // RFC 9112 §3.2: a fragment is no part of a target.
    ['/a#b', 400],
    ['/#', 400],
    ['/a?b#c', 400],
    ['http://a#/b', 400],
    ['http://a/#b', 400],
    // RFC 9110 §4.2.1: no http URI without a host; §4.2.4: none with a user. RFC 3986 §3.2.2: what a host is.
    ['http://:80/', 400],
    ['http://?x', 400],
    ['http://u@a/', 400],
    ['http://u:p@a/', 400],
    ['http://@a/', 400],
    ['http://u@/', 400],
    ['http://@@\\{}/', 400],
    ['http://a\\b/', 400],
    ['http://a|b/', 400],
    ['http://a"b/', 400],
    ['http://<a>/', 400],
    ['http://a%/', 400],
    ['http://a%2/', 400],
    ['http://a%zz/', 400],
    ['http://a:b/', 400],
    ['http://a:80:80/', 400],
    ['http://a:-1/', 400],
    ['http://[/', 400],
    ['http://]/', 400],
    ['http://[]/', 400],
    ['http://[::1/', 400],
    ['http://[::1]a/', 400],
    ['http://::1/', 400],
    ['http:/a', 400],
    ['http:a', 400],
  ])('the target %s: %s', (target, expected) => {
    expect(pathOf(target)).toBe(expected);
  });

  test('HEAD is refused without a body', () => {
    expect(parse('HEAD / HTTP/1.1\r\n\r\n')).toEqual({ kind: 'bad', status: 400, head: true });
    expect(parse('HEAD / HTTP/3.0\r\n\r\n')).toEqual({ kind: 'bad', status: 505, head: true });
    expect(parse('GET / HTTP/1.1\r\n\r\n')).toEqual({ kind: 'bad', status: 400, head: false });
  });
});

describe('what is taken', () => {
  test('a request', () => {
    expect(parse(GET)).toEqual({ kind: 'request', head: false, path: '/', keepAlive: true, bytes: GET.length });
  });

  test('HEAD', () => {
    expect(parse('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({ kind: 'request', head: true, path: '/a' });
  });

  test('HTTP/1.0, with and without Host: the connection closes', () => {
    expect(parse('GET / HTTP/1.0\r\n\r\n')).toMatchObject({ kind: 'request', keepAlive: false });
    const keep = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n';
    expect(parse(keep)).toMatchObject({ kind: 'request', keepAlive: false });
  });

  test('a higher minor version is HTTP/1.1', () => {
    expect(parse('GET / HTTP/1.2\r\nHost: a\r\n\r\n')).toMatchObject({ kind: 'request', keepAlive: true });
  });

  test.each([
    ['close', false],
    ['CLOSE', false],
    ['keep-alive', true],
    ['upgrade , close', false],
    ['closed', true],
    ['', true],
    [',,close,', false],
  ])('Connection: %s', (value, keepAlive) => {
    expect(parse(withFields('Host: a', `Connection: ${value}`))).toMatchObject({ kind: 'request', keepAlive });
  });

  test('Connection in several fields', () => {
    const text = withFields('Host: a', 'Connection: te', 'connection: close');
    expect(parse(text)).toMatchObject({ kind: 'request', keepAlive: false });
  });

  test.each([
    ['a'],
    ['a:80'],
    ['a:'],
    ['127.0.0.1:8080'],
    ['[::1]'],
    ['[::]'],
    ['[::1]:80'],
    ['[2001:db8::7]'],
    ['[1:2:3:4:5:6:7:8]'],
    ['[1:2:3:4:5:6:7::]'],
    ['[::ffff:10.0.0.1]'],
    ['[1:2:3:4:5:6:10.0.0.1]'],
    ['[v1.fe80::a+en1]'],
    ['xn--bcher-kva.example'],
    ["a%20b!$&'()*+,;=~"],
  ])('Host: %s', (host) => {
    expect(status(withFields(`Host: ${host}`))).toBe('request');
  });

  test('fields in any case, with any white space about the value, with bytes above ASCII', () => {
    expect(status(withFields('hOsT:\t a \t', 'X:', 'Y: \xff\xe9\x85\xa0'))).toBe('request');
  });

  test('names that objects have by themselves', () => {
    expect(status(withFields('Host: a', '__proto__: x', 'constructor: y'))).toBe('request');
  });

  test.each([
    ['/', '/'],
    ['/a/b.html', '/a/b.html'],
    ['/a?b=/c', '/a'],
    ['/a%20b', '/a b'],
    ['/%e2%82%ac', '/€'],
    ['/%2e%2e/%2E%2e/etc', '/../../etc'],
    ['/a/../b', '/a/../b'],
    ['/%00', '/\0'],
    ['/%25%32%65', '/%2e'],
    ['http://a', '/'],
    ['http://a:80/b?c', '/b'],
    ['HTTP://A/B', '/B'],
    ['http://a?x=/b', '/'],
    ['http://[::1]:80/b', '/b'],
    ['/a?{b}|c^', '/a'],
    ['/a?http://u@b/', '/a'],
  ])('the target %s is the path %s', (target, path) => {
    expect(pathOf(target)).toBe(path);
    expect(pathOf(target, '1.0')).toBe(path);
  });

  test('white space that is none about an option of a connection', () => {
    expect(parse(withFields('Host: a', 'Connection: \xa0close'))).toMatchObject({ kind: 'request', keepAlive: true });
  });

  test('empty lines before a request count to it', () => {
    const text = `\r\n\r\n${GET}`;
    expect(parse(text)).toMatchObject({ kind: 'request', path: '/', bytes: text.length });
  });

  test('the first of two requests', () => {
    expect(parse(`${GET}GET /b HTTP/1.1\r\n`)).toMatchObject({ kind: 'request', path: '/', bytes: GET.length });
  });
});

describe('sizes', () => {
  const padded = (length: number): string => {
    const frame = withFields('Host: a', 'X: ');
    return withFields('Host: a', `X: ${'x'.repeat(length - frame.length)}`);
  };

  test('a head of exactly the most', () => {
    expect(padded(HEAD_BYTES_MAX)).toHaveLength(HEAD_BYTES_MAX);
    expect(status(padded(HEAD_BYTES_MAX))).toBe('request');
  });

  test('one byte more', () => {
    expect(status(padded(HEAD_BYTES_MAX + 1))).toBe(431);
    expect(status(padded(HEAD_BYTES_MAX + 1).slice(0, -1))).toBe('incomplete');
    expect(status(`${padded(HEAD_BYTES_MAX + 1).slice(0, -2)}xx`)).toBe(431);
  });

  test('a flood of fields', () => {
    expect(status(withFields('Host: a', ...Array.from({ length: 3000 }, (_, i) => `X${i}: y`)))).toBe(431);
    expect(status(withFields('Host: a', ...Array.from({ length: 1500 }, () => 'a:b')))).toBe('request');
  });

  test('a target without end', () => {
    expect(status(`GET /${'a'.repeat(HEAD_BYTES_MAX)}`)).toBe(414);
    expect(status(`GET /${'a'.repeat(HEAD_BYTES_MAX)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe(414);
    expect(status(`GET /${'%61'.repeat(2000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe('request');
  });

  test('empty lines without end', () => {
    expect(status('\r\n'.repeat(HEAD_BYTES_MAX))).toBe(414);
  });

  test('values that a backtracking parser would chew on for minutes', () => {
    const spaces = ' '.repeat(HEAD_BYTES_MAX - 60);
    const started = performance.now();
    expect(status(withFields('Host: a', `X:${spaces}\n`))).toBe(400);
    expect(status(withFields('Host: a', `X:${spaces}b`))).toBe('request');
    expect(status(withFields('Host: a', `Connection: a${spaces}b`))).toBe('request');
    expect(status(withFields(`Host: ${spaces.replaceAll(' ', 'a')}@`))).toBe(400);
    expect(status(`GET ${spaces.replaceAll(' ', '/')} HTTP/1.x\r\n\r\n`)).toBe(400);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('streams', () => {
  const STREAM = `${GET}HEAD /x%20y?z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;

  /** Every request of a stream that arrives in these pieces. */
  function requests(pieces: readonly Uint8Array[]): Request[] {
    const found: Request[] = [];
    let waiting = new Uint8Array(0);
    for (const piece of pieces) {
      waiting = Uint8Array.from([...waiting, ...piece]);
      for (let next = parseRequest(waiting); next.kind === 'request'; next = parseRequest(waiting)) {
        found.push(next);
        waiting = waiting.slice(next.bytes);
      }
    }
    return found;
  }

  test('split at every byte boundary', () => {
    const all = bytes(STREAM);
    const whole = requests([all]);
    expect(whole.map((r) => (r.kind === 'request' ? [r.head, r.path, r.keepAlive] : r))).toEqual([
      [false, '/', true],
      [true, '/x y', false],
    ]);
    for (let i = 0; i <= all.length; i += 1) expect(requests([all.subarray(0, i), all.subarray(i)])).toEqual(whole);
    expect(requests([...all].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
  });

  test('every proper prefix of a request is incomplete', () => {
    for (let i = 0; i < GET.length; i += 1) expect(status(GET.slice(0, i))).toBe('incomplete');
  });
});

describe('fuzz', () => {
  const alphabet = [
    'GET',
    'HEAD',
    ' ',
    '/',
    'HTTP/1.1',
    '\r\n',
    '\r',
    '\n',
    ':',
    'Host',
    '%',
    '\0',
    '\xff',
    'a',
    ',',
    '\t',
  ];

  test('any bytes: an answer, never an error, and never more bytes than there are', () => {
    const soup = fc.array(fc.constantFrom(...alphabet), { maxLength: 60 }).map((words) => bytes(words.join('')));
    fc.assert(
      fc.property(fc.oneof(soup, fc.uint8Array({ maxLength: 200 })), (input) => {
        const request = parseRequest(Uint8Array.from([...input, 13, 10, 13, 10]));
        if (request.kind === 'request') {
          expect(request.bytes).toBeLessThanOrEqual(input.length + 4);
          expect(request.bytes).toBeGreaterThan(0);
          expect(request.path.startsWith('/')).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a request with one byte changed, removed or added', () => {
    const whole = bytes(withFields('Host: a', 'Content-Length: 0', 'Connection: keep-alive'));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(2), (at, byte, remove) => {
        const changed = [...whole];
        changed.splice(at, remove, ...(remove === 2 ? [] : [byte]));
        expect(['request', 'bad', 'incomplete']).toContain(parseRequest(Uint8Array.from(changed)).kind);
      }),
    );
  });
});

describe('errors as responses', () => {
  const text = (response: Uint8Array): string => String.fromCharCode(...response);

  test('the whole of one', () => {
    expect(text(errorResponse(404, true, false))).toBe(
      'HTTP/1.1 404 Not Found\r\nServer: Cheetah\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n404 Not Found\n',
    );
  });

  test.each<[ErrorStatus]>([[400], [404], [405], [414], [431], [501], [505]])('%s', (code) => {
    const [head = '', body = ''] = text(errorResponse(code, false, false)).split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${code} `);
    expect(head).toContain('\r\nConnection: close');
    expect(head).toContain(`\r\nContent-Length: ${body.length}\r\n`);
    expect(head.includes('\r\nAllow: GET, HEAD')).toBe(code === 405);
    // The same header, and no body, for HEAD [RFC9110 §9.3.2].
    expect(text(errorResponse(code, false, true))).toBe(`${head}\r\n\r\n`);
  });
});

describe('lines that end in LF alone, or in CR: refused at once, without waiting for the end [RFC9112 §2.2]', () => {
  test.each([
    ['the request line', 'GET / HTTP/1.1\n'],
    ['an empty line before', '\n'],
    ['the second empty line before', '\r\n\n'],
    ['a field', 'GET / HTTP/1.1\r\nHost: a\n'],
    ['the last line', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['CR alone', 'GET / HTTP/1.1\rH'],
    ['two CRs', 'GET / HTTP/1.1\r\r'],
  ])('%s', (_, text) => {
    expect(status(text)).toBe(400);
    expect(status(text.slice(0, -1))).toBe('incomplete');
  });

  test('in answer to HEAD without a body', () => {
    expect(parse('HEAD / HTTP/1.1\n')).toMatchObject({ kind: 'bad', head: true });
    expect(parse('HEADER / HTTP/1.1\n')).toMatchObject({ kind: 'bad', head: false });
  });

  test('in what follows a whole request, only when that comes up', () => {
    expect(parse(`${GET}GET / HTTP/1.1\n`)).toMatchObject({ kind: 'request', bytes: GET.length });
  });
});
