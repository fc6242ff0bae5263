/** Routines of the library operating system, by interface: ENTRY_POINTS of the kit. What is negative is an error. */

export declare function console_write(at: usize, bytes: i32): i32;
export declare function clock_ticks(): i32;
export declare function clock_sleep(ticks: i32): i32;
export declare function memory_allocate(bytes: i32): i32;
export declare function process_self(): i32;
export declare function process_fork(): i32;
export declare function process_wait(code: usize): i32;
export declare function process_yield(process: i32): i32;
export declare function pipe_open(ends: usize): i32;
export declare function pipe_read(descriptor: i32, at: usize, max: i32): i32;
export declare function pipe_write(descriptor: i32, at: usize, bytes: i32): i32;
export declare function pipe_close(descriptor: i32): i32;
export declare function shared_allocate(): i32;
export declare function vm_protect(va: usize, pages: i32): i32;
export declare function vm_unprotect(va: usize, pages: i32): i32;
export declare function vm_clean(va: usize, pages: i32): i32;
export declare function vm_dirty(va: usize): i32;
