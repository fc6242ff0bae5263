/** Routines of the library operating system, by interface: see interfaces.ts of the kit. */
/** Interface `memory`: the address of zeroed bytes, page-aligned; negative if there are none. */
export declare function memory_allocate(bytes: i32): i32;
