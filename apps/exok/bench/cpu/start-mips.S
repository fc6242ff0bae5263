/*
 * Starts the mix in kseg0. The result and then a 1 are stored at DONE, where whoever runs it looks; QEMU's Malta is
 * switched off by its reset register besides.
 */
  .set noreorder
  .globl __start
__start:
  lui   $29, 0x8040
  lui   $4, %hi(iterations)
  lw    $4, %lo(iterations)($4)
  jal   mix
  nop
  lui   $8, 0x8030
  sw    $2, 0($8)
  li    $9, 1
  sw    $9, 4($8)
  lui   $8, 0xbf00
  li    $9, 0x42
#ifdef MALTA
  sw    $9, 0x500($8)
#endif
1: b    1b
  nop
  .data
  .globl iterations
iterations: .word ITERATIONS
