/** Batch, the smallest library operating system. */
export { BAD_ADDRESS, batch, type BatchInterface } from './batch.ts';
