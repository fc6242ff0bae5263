/** ExOS, the Unix-like library operating system. */
export { exos, type ExosInterface } from './exos.ts';
export { BAD_ADDRESS, KILLED } from './process.ts';
