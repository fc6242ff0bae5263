/** Captures in files of the host. */
export { captureFile, type CaptureFile } from './capture-file.ts';
