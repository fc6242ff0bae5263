/** System calls of the kernel, in line: docs/mechanisms lists them. The result is the error code; others go to the address that comes last. */
/** Ticks of 1/64 s since boot, to the word at `results`. */
export declare function tick(results: usize): i32;
