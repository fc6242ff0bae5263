/** The command line as its users meet it: what it refuses, and what it prints. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { carryOut } from '../src/program.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 'exok-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `exok`; `whenReady` gets the URL that --serve prints, and the server is stopped when it is done. */
function exok(args: readonly string[], whenReady?: (url: string) => Promise<void>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args]);
    let stdout = '';
    let stderr = '';
    let told = false;
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
      const url = /serving (\S+)/.exec(stderr)?.[1];
      if (url === undefined || told || whenReady === undefined) return;
      told = true;
      whenReady(url)
        .catch(reject)
        .finally(() => child.kill('SIGINT'));
    });
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

describe('refused with one line on stderr and exit code 2', () => {
  test.each([
    [['demo', '--nonsense'], /nonsense/],
    [['demo', 'more'], /more/],
    [['demo', '--port', '99999'], /99999/],
    [['demo', '--port', 'http'], /http/],
    [['demo', '--port'], /port/],
    [['demo', '--serve', '--offline'], /--offline/],
    [['demo', '--disk', join(folder, 'missing.img')], /missing\.img/],
    [['demo', '--mhz', '100'], /--mhz .*--serve/],
    [['demo', '--net', 'stream:tcp:1'], /--net .*--serve/],
    [['demo', '--serve', '--mhz', '0'], /--mhz .*'0'.* 1 to 4000/],
    [['demo', '--serve', '--net', 'nonsense'], /--net nonsense/],
    [['demo', '--serve', '--net', `stream:unix:${join(folder, 'missing')}`], /missing/],
    [['run', 'x.elf', '--mhz', '1.5'], /--mhz .*'1.5'/],
    [['run', 'x.elf', '--ip', '10.0.0.256'], /--ip .*'10.0.0.256'/],
    [['nonsense'], /nonsense/],
    [['demo', '--serv'], /unknown option '--serv' \(Did you mean --serve\?\)/],
    [['dmeo'], /unknown command 'dmeo' \(Did you mean demo\?\)/],
    [['run'], /missing required argument 'file'/],
    [['run', 'x.elf', 'more'], /too many arguments/],
    [['run', 'x.elf', '--seconds', '-1'], /--seconds .*'-1'/],
    [['run', 'x.elf', '--seconds', '0'], /--seconds .*'0'/],
    [['run', 'x.elf', '--memory', '512'], /--memory .*'512' is invalid. Use 4 to 256/],
    [['run', 'x.elf', '--memory', 'much'], /--memory .*'much'/],
    [['run', 'x.elf', '--mac', '01:00:5e:00:00:01'], /--mac .*01:00:5e/],
    [['run', 'x.elf', '--profile', 'vax'], /--profile .*'vax'.* dec3100/],
    [['run', 'x.elf', '--date', 'tomorrow'], /--date .*'tomorrow'/],
    [['run', 'x.elf', '--record', 'a', '--replay', 'b'], /--record .*--replay/],
    [['run', join(folder, 'missing.elf')], /missing\.elf.*no such file/],
    [['build'], /missing required argument 'file'/],
    [['build', 'program.js'], /program\.js: use a source/],
    [['build', join(folder, 'missing.ts')], /missing\.ts/],
    [['build', 'x.ts', '--libos', 'unix'], /--libos .*'unix'.* batch, exos/],
    [['linux', '--profile', 'all'], /--profile all/],
    [['completion', 'tcsh'], /tcsh/],
    [['run', '/dev/zero'], /\/dev\/zero/],
    [['site'], /missing required argument 'folder'/],
    [['kernel'], /--disassemble/],
    [['kernel', '--disassemble', 'nothing'], /no symbol nothing/],
    [['kit'], /--disassemble/],
    [['kit', '--disassemble', 'nothing'], /no symbol nothing/],
    [['kit', '--disassemble', 'kit.yield', 'kit.sleep'], /too many/],
    [['filter', '--disassemble'], /missing required argument/],
    [['filter', '--disassemble', 'spx'], /no protocol spx/],
    [['filter', '--disassemble', ''], /no protocol/],
    [['filter', '--disassemble', 'udp dstPort=70000'], /dstPort=70000/],
    [['filter', '--disassemble', 'udp dstPort=0x'], /dstPort=0x/],
    [['filter', '--disassemble', 'udp toString=1'], /toString=1/],
    [['filter', '--disassemble', 'udp dstIp=10.0.0.256'], /10\.0\.0\.256/],
    [['filter', '--disassemble', 'arp', 'arp'], /./],
    [['handler', '--disassemble'], /missing required argument/],
    [['handler', '--disassemble', 'missing'], /missing/],
    [['handler', '--disassemble', process.execPath], /no handler/],
    [['site', join(folder, 'missing'), join(folder, 'out.img')], /missing/],
  ] as const)('%j', async (args, line) => {
    let refusal: unknown;
    await carryOut(args).catch((error: unknown) => {
      refusal = error;
    });
    expect(refusal).toBeInstanceOf(UsageError);
    const { message } = refusal as UsageError;
    expect(message.trimEnd().split('\n')).toHaveLength(1);
    expect(message).toMatch(line);
    expect(existsSync(join(folder, 'out.img'))).toBe(false);
  });

  test('and said so', async () => {
    expect(await exok(['dmeo'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "exok: unknown command 'dmeo' (Did you mean demo?)\n",
    });
  });

  test('a disk file of odd size', async () => {
    const file = join(folder, 'odd.img');
    writeFileSync(file, new Uint8Array(700));
    const { code, stdout, stderr } = await exok(['demo', '--disk', file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/700/);
  });

  test('a disk without a site', async () => {
    const file = join(folder, 'empty.img');
    writeFileSync(file, new Uint8Array(8192));
    const { code, stdout, stderr } = await exok(['demo', '--disk', file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/no site on .*empty\.img/);
  });

  test('a port in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const { code, stdout, stderr } = await exok(['demo', '--port', String(port)]);
    server.close();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/in use/);
  });
});

test.each(['demo', 'build', 'run', 'linux', 'site', 'lab', 'kernel', 'kit', 'filter', 'handler'])(
  '%s --help: with an example',
  async (name) => {
    const [asked, helped] = await Promise.all([exok([name, '--help']), exok(['help', name])]);
    expect(asked).toEqual({ code: 0, stdout: helped.stdout, stderr: '' });
    expect(asked.stdout).toMatch(new RegExp(`^Usage: exok ${name}[^]*\nExamples:\n  exok ${name}\\b`));
  },
);

test('no command: the help on stderr, and exit code 2; with --help on stdout, and 0', async () => {
  const [none, help] = await Promise.all([exok([]), exok(['--help'])]);
  expect(none).toEqual({ code: 2, stdout: '', stderr: help.stdout });
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Exit codes: 0 done, 1 a check failed, 2 cannot be carried out as given');
});

test.skipIf(!existsSync('/dev/full'))('a full disk behind stdout: one line, exit code 2', async () => {
  const child = spawn('sh', ['-c', `"${process.execPath}" "${MAIN}" kernel --disassemble > /dev/full`]);
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/^exok: cannot print: [^\n]*ENOSPC[^\n]*\n$/) as string,
  });
});

describe.skipIf(spawnSync('script', ['--version']).status !== 0)('progress on a terminal', () => {
  /** Runs the demo at one of so many columns; what it wrote, with its control sequences. */
  function atTerminal(columns: number, env: Record<string, string>): string {
    const command = `stty cols ${columns}; "${process.execPath}" "${MAIN}" demo --offline --json`;
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      timeout: 30_000,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(status).toBe(0);
    return stdout;
  }
  const COLOUR = '\u001b[36m';
  const HIDES_CURSOR = '\u001b[?25l';

  test('is a line in colour, without one under NO_COLOR, and plain lines where the cursor cannot move', () => {
    const plain = atTerminal(80, { TERM: 'xterm-256color', NO_COLOR: '1' });
    expect([plain.includes(HIDES_CURSOR), plain.includes(COLOUR)]).toEqual([true, false]);
    const colour = atTerminal(80, { TERM: 'xterm-256color', FORCE_COLOR: '1' });
    expect([colour.includes(HIDES_CURSOR), colour.includes(COLOUR)]).toEqual([true, true]);
    for (const [columns, term] of [
      [80, 'dumb'],
      [0, 'xterm-256color'],
    ] as const) {
      const lines = atTerminal(columns, { TERM: term });
      expect([lines.includes('\u001b'), lines.includes('booting Aegis')]).toEqual([false, true]);
    }
  });
});

test('the version is that of the package', async () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(await exok(['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
});

test('completion: a script for each shell; commands, options and values are completed', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await exok(['completion', shell]);
    expect([shell, code, stdout.includes('exok complete --')]).toEqual([shell, 0, true]);
  }
  const complete = async (...words: string[]): Promise<string[]> =>
    (await exok(['complete', '--', ...words])).stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
  expect(await complete('li')).toContain('linux');
  expect(await complete('run', '--pro')).toContain('--profile');
  expect(await complete('run', '--profile', '')).toEqual(expect.arrayContaining(['dec3100', 'ideal']));
});

test('the text of a routine of the kernel', async () => {
  const { code, stdout } = await exok(['kernel', '--disassemble', 'scall']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^cycles on ideal; [^\n]*\ncall\.scall:\n/);
  expect(stdout).toContain(' 1  1  1  lw k0,ENV.syncGate(k1)');
});

test('the text of the kit: the words of the u-page and the calls by name', async () => {
  const { code, stdout } = await exok(['kit', '--disassemble', 'kit.yield']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^cycles on ideal; [^\n]*\n(kit\.restart\.end:\n)?kit\.yield:\n/);
  expect(stdout).toContain('sw ra,UKIT.contextPc(zero)');
  expect(stdout).toMatch(/syscall {2}# yield\n$/);
});

test('what filters and handlers are compiled to', async () => {
  const filters = await exok(['filter', '--disassemble', 'udp dstPort=53', 'tcp dstIp=10.0.0.1 dstPort=80']);
  expect(filters.code).toBe(0);
  expect(filters.stdout).toMatch(/lw \w+,ACTIVATION\.message\.length\(a0\)/);
  // Port 53, its bytes exchanged.
  expect(filters.stdout).toMatch(/li \w+,13568/);
  const handler = await exok(['handler', '--disassemble', 'udpEcho']);
  expect(handler.code).toBe(0);
  expect(handler.stdout).toContain('ACTIVATION.reply.base(a0)');
});

test('--offline --json: one object, every check true, and the same again', async () => {
  const [first, second] = await Promise.all([
    exok(['demo', '--offline', '--json']),
    exok(['demo', '--offline', '--json']),
  ]);
  expect(first.code).toBe(0);
  expect(second.stdout).toBe(first.stdout);
  const report = JSON.parse(first.stdout) as {
    machine: Record<string, unknown>;
    environments: Record<string, unknown>[];
    checks: { name: string; ok: boolean }[];
  };
  expect(report.machine).toMatchObject({ profile: 'ideal', hz: 25_000_000 });
  expect(report.environments.map(({ libos }) => libos).sort()).toEqual(
    ['batch', 'cheetah', 'exos', 'exos', 'its own', 'none'].sort(),
  );
  expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(report.checks.length).toBeGreaterThan(8);
});

test('the demo with its gateway passes its checks', async () => {
  const { code, stdout, stderr } = await exok(['demo']);
  expect({ code, stderr: stderr.trimEnd().split('\n').at(-1) }).toMatchObject({ code: 0 });
  expect(stdout).not.toMatch(/FAILED/);
  expect(stdout).toMatch(/cheetah: \/index\.html, every byte/);
});

test('a site of one’s own, formatted, served, fetched', async () => {
  const site = join(folder, 'site');
  const image = join(folder, 'site.img');
  mkdirSync(join(site, 'deep'), { recursive: true });
  const big = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 31) & 0xff);
  writeFileSync(join(site, 'index.html'), '<h1>mine</h1>');
  writeFileSync(join(site, 'deep', 'big.bin'), big);
  expect((await exok(['site', site, image])).code).toBe(0);
  const { code, stdout } = await exok(['demo', '--serve', '--json', '--disk', image], async (url) => {
    expect(await (await fetch(url)).text()).toBe('<h1>mine</h1>');
    const response = await fetch(`${url}deep/big.bin`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.compare(new Uint8Array(await response.arrayBuffer()), big)).toBe(0);
    expect((await fetch(`${url}nothing`)).status).toBe(404);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(405);
    const head = await fetch(`${url}deep/big.bin`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(big.length)]);
  });
  const report = JSON.parse(stdout) as { environments: { name: string; packetsIn: number }[] };
  expect(report.environments.find(({ name }) => name === 'cheetah')?.packetsIn).toBeGreaterThan(20);
  expect(code).toBe(0);
});
