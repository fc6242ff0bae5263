/** Routines of the library operating system, by interface: see interfaces.ts of the kit. What is negative is an error. */

/** Interface `memory`: the address of zeroed bytes, page-aligned; negative if there are none. */
export declare function memory_allocate(bytes: i32): i32;

/** Interface `console`: at most 4096 bytes. */
export declare function console_write(at: usize, bytes: i32): i32;

/** Interface `clock`: ticks of 1/64 s since boot; and a wait for so many, at least one. */
export declare function clock_ticks(): i32;
export declare function clock_sleep(ticks: i32): i32;

/**
 * Interface `udp`: a socket for a port; a datagram of up to 1472 bytes to a port of a host, whose address is a number (10.0.0.1 is 0x0a000001); the next
 * datagram, its length, and at `sender` (or 0) the sender's address and port, two words; ticks to wait for it, −1 without end.
 */
export declare function udp_open(port: i32): i32;
export declare function udp_send(socket: i32, host: u32, port: i32, address: usize, bytes: i32): i32;
export declare function udp_receive(socket: i32, address: usize, most: i32, sender: usize, ticks: i32): i32;
export declare function udp_close(socket: i32): i32;
