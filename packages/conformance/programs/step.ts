/**
 * The exit code of a case that went wrong: which step, and what it found. `scripts/conformance.ts` takes what was expected from the comment behind
 * a step, `// what: expected`, and the case's name from the comment before its function.
 */
export function step(number: i32, found: i32): i32 {
  return number | (found << 8);
}
