/** Captures in files of the host. */
export { captureFile, type CaptureFile } from './capture-file.ts';
export { fileSource, type FileSource } from './file-source.ts';
