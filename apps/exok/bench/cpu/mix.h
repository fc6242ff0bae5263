/* The program: its result depends on every part of it. */
unsigned int mix(unsigned int iterations);
