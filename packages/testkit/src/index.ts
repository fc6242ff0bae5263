/** What the workspace's tests share. */
export { boot, exitOf, type Booted } from './booted.ts';
export { describeLibOs } from './conformance.ts';
