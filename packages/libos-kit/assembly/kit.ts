/**
 * What the kit has in machine code: accesses that no optimiser merges, and routines that leave the processor.
 */

/** One access to a word, half word or byte that the kernel, a device or an upcall changes: it is never left out, merged or moved. */
export declare function load32(address: usize): u32;
export declare function load16(address: usize): u32;
export declare function load8(address: usize): u32;
export declare function store32(address: usize, value: u32): void;
export declare function store16(address: usize, value: u32): void;
export declare function store8(address: usize, value: u32): void;

/**
 * Sleeps until an event (a packet, a completion, a message, revocation), until the tick counter reaches `tick` (0: no limit) or until the predicate of
 * this environment holds. Comes back sooner if an event is pending already, or at the end of a slice. So ask again what you wait for.
 */
export declare function sleep(tick: i32): void;
/** Gives the rest of the slice to an environment, or with −1 to whose turn it is. */
export declare function yield_to(environment: i32): void;
/** Ends the environment. */
export declare function exit(code: i32): void;

/** Goes on on another stack: the stack pointer of this one is stored at `from`. */
export declare function switch_to(from: usize, stackPointer: usize): void;
/** The stack pointer of a stack below `end` that begins with a function (its `index`), called with one argument, which must not return. */
export declare function thread_frame(end: usize, functionIndex: i32, argument: usize): usize;
/** Where the stack is. */
export declare function stack_pointer(): usize;
/** The address of the entry of a page in the library operating system's own page table (PTE); 0 if it has none. */
export declare function page_entry(address: usize): usize;
