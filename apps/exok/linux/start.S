/*
 * Where the program starts, and the two ways from it into the kernel. MIPS I, o32.
 */
	.text
	.set	noreorder
	.globl	__start
	.globl	sys
	.globl	mark
	.globl	mark_syscall

/* The kernel puts argc, then argv, on the stack. */
__start:
	lw	$4, 0($29)
	addiu	$5, $29, 4
	addiu	$29, $29, -24
	jal	main
	nop
	move	$4, $2
	li	$2, 4001		/* exit */
	syscall

/* long sys(long number, ...): up to seven arguments; those after the fourth go on the stack. */
	.ent	sys
sys:
	lw	$8, 20($29)
	lw	$9, 24($29)
	lw	$10, 28($29)
	move	$2, $4
	move	$4, $5
	move	$5, $6
	move	$6, $7
	lw	$7, 16($29)
	addiu	$29, $29, -32
	sw	$8, 16($29)
	sw	$9, 20($29)
	sw	$10, 24($29)
	syscall
	addiu	$29, $29, 32
	beqz	$7, 1f			/* a3: whether it failed */
	nop
	subu	$2, $0, $2
1:	jr	$31
	nop
	.end	sys

/*
 * void mark(void): whoever watches the machine knows a system call at `mark_syscall` by its address, and so when it happened.
 * The call itself is getpid, the least that a kernel can do; its cost is measured by marks without anything between them.
 */
	.ent	mark
mark:
	li	$2, 4020
mark_syscall:
	syscall
	jr	$31
	nop
	.end	mark
