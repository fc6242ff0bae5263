/** Estimates of what is done with frames, in cycles of counted work (costs.ts): each is the most that it takes. */

/** To let go of one, without its nodes and without the flush of a set of them. */
export const COST_OF_FRAME = 420;
/** To break one thing that pins it. */
export const COST_OF_PIN = 2500;
/** To look for an environment's bindings of one that others hold, and for each of its nodes. */
export const COST_OF_SHARED = 4000;
export const COST_OF_LOOK = 80;
