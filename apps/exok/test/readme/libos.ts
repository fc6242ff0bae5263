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
    a.syscall(0); // now its number is in v1, its capability in a0 to a3
    a.j('kit.exit');
    a.move(A0, V1); // in the delay slot: the result is the frame's number
  },
});
const parts = { name: 'mine', libos: 'mine', pages: [], handlers: {}, natives: () => [], placement: {} };
const aegis = new Aegis(new Machine());
const env = aegis.load(buildImage({ ...parts, runtime, entry: address(runtime, 'main') }));
aegis.machine.run(1_000_000);
const { exit, systemCalls } = aegis.environment(env);
console.log(`frame 0x${exit.toString(16)}, ${systemCalls} system calls`);
