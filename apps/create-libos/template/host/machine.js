/** Machines for tests and labs: a library operating system is compiled, loaded, run and looked at. */
import { Aegis } from '@exokernel/aegis';
import { Machine } from '@exokernel/hardware';
import { compiledLibOs } from '@exokernel/libos-kit';
import { compileLibrary, diagnosticText } from '@exokernel/libos-kit/node';
import { NetworkStack, frameBytes } from '@exokernel/net';
import { fileURLToPath } from 'node:url';

/** Who the machine is on a wire, and who a host at its other end. Addresses of IPv4 are numbers: this is 10.0.0.1. */
export const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
export const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00 };

/**
 * Compiles a source. `alone(placement)` of what it gives makes an image: `{ station }` says who it is on the network, `{ extent: { start, blocks } }` which
 * blocks of the disk it gets, `{ slices }` how many slices. `provides` names the interfaces whose routines it exports: `compose` runs programs on it that
 * need no others.
 *
 * @template {import('@exokernel/libos-kit').InterfaceName} [P=never]
 * @param {URL} source
 * @param {readonly P[]} provides
 */
export async function compile(source, provides = []) {
  const { library, diagnostics } = await compileLibrary(fileURLToPath(source));
  if (library === undefined) throw new Error(diagnostics.map(diagnosticText).join('\n'));
  return compiledLibOs(provides, library);
}

/**
 * A machine with the kernel, and an environment for each image: they are 0, 1 and so on.
 *
 * @param {readonly ReturnType<Awaited<ReturnType<typeof compile>>['alone']>[]} images
 * @param {Omit<import('@exokernel/hardware').MachineOptions, 'serial'>} options such as `{ profile: 'dec5000', lance: { mac, wire }, disk: { store } }`
 */
export function boot(images, options = {}) {
  let printed = '';
  const lines = ['', '', '', ''];
  const machine = new Machine({
    ...options,
    serial: (line, byte) => {
      printed += String.fromCharCode(byte);
      lines[line] += String.fromCharCode(byte);
    },
  });
  const aegis = new Aegis(machine);
  for (const image of images) aegis.load(image);
  const ending = (env = 0) => aegis.environment(env).cause?.text;
  /**
   * Runs for so many seconds of the machine, or until something holds: says whether it does.
   *
   * @param {number} seconds
   */
  const run = (seconds, done = () => false) => {
    const end = machine.cycles + seconds * machine.hz;
    while (!done() && machine.cycles < end) machine.run(25_000);
    return done();
  };
  return {
    machine,
    aegis,
    /** What came out of the serial lines. */
    printed: () => printed,
    /** What came out of one of them, 0 to 3. @param {number} line */
    serial: (line) => lines[line] ?? '',
    run,
    /** How an environment ended, for people; nothing while it lives. */
    ending,
    /** Runs until an environment has ended and its text is printed; says how it ended. */
    finish: (env = 0) => {
      run(10, () => ending(env) !== undefined);
      // The line is slower than the program.
      run(0.25);
      return ending(env);
    },
    /** How many frames an environment holds. */
    frames: (env = 0) => aegis.parts.frames.heldBy(env).length,
    /**
     * Has the kernel ask an environment for so many frames, with its deadline: what it has not given up by then is taken by force. Gives how many were asked
     * for, as it is left eight. Throws if none are.
     *
     * @param {number} frames
     */
    revoke: (frames, env = 0) => {
      const asked = aegis.parts.revocation.ask(env, 0, frames);
      if (asked <= 0) throw new Error(`the kernel asks environment ${env} for no frames: ${asked}`);
      return asked;
    },
  };
}

/**
 * A host on a wire, without a machine: `stack.udp.bind(port)` is a socket. Its time is that of the frames that it gets, so `flush` after each `send`.
 *
 * @param {import('@exokernel/hardware').Wire} wire
 */
export function host(wire, station = PEER) {
  const stack = new NetworkStack({ ...station, seed: 1 });
  const plug = wire.attach({
    receive: (frame, time) => {
      stack.receive(frame, time / 1e6);
      flush();
    },
  });
  const flush = () => {
    stack.transmit((frame) => {
      plug.send(frameBytes(frame));
      return true;
    }, stack.now);
  };
  flush();
  return { stack, flush };
}
