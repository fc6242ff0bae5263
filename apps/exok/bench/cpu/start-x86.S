/*
 * Starts the mix as a multiboot kernel: a flat GDT of its own, no interrupts, a stack. The result's eight hexadecimal digits
 * and a full stop go to the first serial port.
 */
  .set MAGIC, 0x1badb002
  .set FLAGS, 0x00010000
  .section .boot, "ax"
  .globl _start
header:
  .long MAGIC, FLAGS, -(MAGIC + FLAGS)
  .long header, header, _edata, _end, _start
_start:
  cli
  mov   $stack_top, %esp
  lgdt  gdt_pointer
  ljmp  $8, $flat
flat:
  mov   $16, %eax
  mov   %eax, %ds
  mov   %eax, %es
  mov   %eax, %ss
  mov   iterations, %eax
  push  %eax
  call  mix
  mov   %eax, %ebx
  mov   $8, %ecx
digit:
  rol   $4, %ebx
  mov   %ebx, %eax
  and   $15, %eax
  mov   digits(%eax), %al
  mov   $0x3f8, %dx
  out   %al, %dx
  loop  digit
  mov   $'.', %al
  out   %al, %dx
halt:
  hlt
  jmp   halt
digits: .ascii "0123456789abcdef"
  .align 8
gdt:
  .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
  .word 23
  .long gdt
  .data
  /* On a page of its own: writes to a page of code would drop what was made of it. */
  .balign 4096
iterations: .long ITERATIONS
  .bss
  .align 16
  .space 65536
stack_top:
