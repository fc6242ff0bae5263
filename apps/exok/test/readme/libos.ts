import { CALLS } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { Machine } from '@exokernel/hardware';
import { A0, V0, V1 } from '@exokernel/isa';
import { address, assembleRuntime, buildImage } from '@exokernel/libos-kit';

const runtime = assembleRuntime({
  resumes: [],
  emit: (a) => {
    a.label('main');
    a.li(A0, 0x300); // this frame of physical memory and no other
    a.li(V0, CALLS.frame_alloc.number);
    a.syscall(0); // its capability is in a0 to a3 now, its number in v1
    a.j('kit.exit');
    a.move(A0, V1); // in the delay slot: the result is the frame's number
  },
});
const rest = { pages: [], handlers: {}, natives: () => [], placement: {} };
const image = buildImage({ name: 'mine', libos: 'mine', runtime, entry: address(runtime, 'main'), ...rest });

const machine = new Machine();
const aegis = new Aegis(machine);
const env = aegis.load(image);
machine.run(1_000_000);
console.log(`frame 0x${aegis.environment(env).exit.toString(16)}, ${aegis.environment(env).systemCalls} system calls`);
