/** The two programs of the UDP echo, in AssemblyScript: one answers, one asks and waits for the answer. */
import { COMPILED_MEMORY, compiledProgram, type CompiledProgram } from '@exokernel/libos-kit';
import { compileAssemblyScript } from '@exokernel/vcode/asc';

export const SERVER = { ip: 0x0a000001, port: 7 } as const;
export const CLIENT = { ip: 0x0a000002, port: 7000 } as const;
/** Bytes of a datagram that makes a frame of 60. */
export const DATA_BYTES = 18;

const KIT = `
export declare function udp_open(port: i32): i32;
export declare function udp_send(socket: i32, host: u32, port: i32, address: usize, bytes: i32): i32;
export declare function udp_receive(socket: i32, address: usize, most: i32, sender: usize, ticks: i32): i32;`;

const IMPORT = `import { udp_open, udp_receive, udp_send } from './kit';
const DATA = memory.data(1536, 4);
const SENDER = memory.data(8, 4);`;

/** Ends with the error if there is one. */
const ECHO = `${IMPORT}
export function main(): i32 {
  const socket = udp_open(${SERVER.port});
  if (socket < 0) return socket;
  for (;;) {
    const length = udp_receive(socket, DATA, 1472, SENDER, -1);
    if (length < 0) return length;
    const code = udp_send(socket, load<u32>(SENDER), load<i32>(SENDER, 4), DATA, length);
    if (code < 0) return code;
  }
  return 0;
}`;

/** Begins a second after it has started, and gives how many answers were not what was sent. */
const ask = (times: number): string => `${IMPORT}
export function main(): i32 {
  const socket = udp_open(${CLIENT.port});
  if (socket < 0) return socket;
  udp_receive(socket, DATA, 0, 0, 64);
  let wrong = 0;
  for (let i = 0; i < ${times}; i++) {
    store<i32>(DATA, i);
    const code = udp_send(socket, ${SERVER.ip}, ${SERVER.port}, DATA, ${DATA_BYTES});
    if (code < 0) return code;
    store<i32>(DATA, -1);
    if (udp_receive(socket, DATA, 1472, SENDER, 64) != ${DATA_BYTES} || load<i32>(DATA) != i) wrong++;
  }
  return wrong;
}`;

async function compiled(name: string, source: string): Promise<CompiledProgram<'udp'>> {
  const files = new Map([
    ['main.ts', source],
    ['kit.ts', KIT],
  ]);
  const { wasm, diagnostics } = await compileAssemblyScript(files, 'main.ts', { memoryBase: COMPILED_MEMORY });
  if (wasm === undefined) throw new Error(`${name}: ${JSON.stringify(diagnostics)}`);
  return compiledProgram(name, ['udp'], wasm);
}

export const echoProgram = (): Promise<CompiledProgram<'udp'>> => compiled('echo', ECHO);
export const askProgram = (times: number): Promise<CompiledProgram<'udp'>> => compiled('ask', ask(times));
