/** How a run of the checked profile ended. 0 is a return; other values are abort codes, of which a program's own start at 16. */
export const RETURNED = 0;
/** An access outside its region. */
export const ABORT_BOUNDS = 1;
/** The fuel did not suffice for the next section; none is left. */
export const ABORT_FUEL = 2;
/** Division by zero, or of the least number by -1. */
export const ABORT_DIVIDE = 3;
/** A call through a slot of the table that does not exist, is empty or holds a function of another signature. */
export const ABORT_TABLE = 5;
/** WebAssembly's `unreachable`, or a function that is not compiled. */
export const ABORT_UNREACHABLE = 6;
/** The stack did not suffice for the next function's frame. */
export const ABORT_STACK = 7;
