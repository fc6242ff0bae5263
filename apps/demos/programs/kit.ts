/** Routines of the library operating system, by interface: see interfaces.ts of the kit. What is negative is an error. */

/** Interface `memory`: the address of zeroed bytes, page-aligned; negative if there are none. */
export declare function memory_allocate(bytes: i32): i32;

/** Interface `console`: at most 4096 bytes. */
export declare function console_write(at: usize, bytes: i32): i32;

/** Interface `clock`: ticks of 1/64 s since boot; and a wait for so many, at least one. */
export declare function clock_ticks(): i32;
export declare function clock_sleep(ticks: i32): i32;
