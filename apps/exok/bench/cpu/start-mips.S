/*
 * Starts the mix, in kseg0 (SEGMENT 0x8000) or in mapped user space (SEGMENT 0). The result and then a 1 are stored 3 MB
 * from the start of memory, where the benchmark looks. QEMU's Malta is switched off by its reset register.
 */
  .set noreorder
  .globl __start
__start:
  lui   $29, SEGMENT | 0x3f
  lui   $4, %hi(iterations)
  lw    $4, %lo(iterations)($4)
  jal   mix
  nop
  lui   $8, SEGMENT | 0x30
  sw    $2, 0($8)
  li    $9, 1
  sw    $9, 4($8)
#ifdef MALTA
  lui   $8, 0xbf00
  li    $9, 0x42
  sw    $9, 0x500($8)
#endif
1: b    1b
  nop
  .data
iterations: .word ITERATIONS
