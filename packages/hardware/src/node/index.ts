/** What the machine can use of Node. */
export { fileStore, type FileStore } from './file-store.ts';
