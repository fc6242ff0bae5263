/*
 * Where a program that uses musl starts: musl's own startup code is not for MIPS I (see build-e2fsck.sh).
 */
	.text
	.set	noreorder
	.globl	exok_start
exok_start:
	move	$4, $29
	addiu	$2, $0, -8
	and	$29, $29, $2
	addiu	$29, $29, -16
	lui	$25, %hi(_start_c)
	addiu	$25, $25, %lo(_start_c)
	jr	$25
	move	$30, $0
