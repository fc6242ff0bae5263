/** Programs and environments of the demo. */
export { MATMUL_ROWS, compiledMatmul, matmul, matmulResult } from './matmul.ts';
export { CHILD_CODE, CHILD_SAYS, PARENT_ENDS, PARENT_SAYS, pipeTalk } from './pipe-talk.ts';
export { HOSTILE, REFUSED, hostile } from './hostile.ts';
export { demoSite } from './site.ts';
export { ECHO_COUNTER, echo, type EchoOptions } from './echo.ts';
