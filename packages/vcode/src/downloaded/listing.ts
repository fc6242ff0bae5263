/** Compiled code as a listing: a label where a branch goes, and the words of the activation record by name. */
import { A0, controlFlow, listing, type RecordLayout } from '@exokernel/isa';
import type { Program } from '../program/ir.ts';
import type { MipsProgram } from './mips.ts';
import { ACTIVATION, activationRegion } from '../ir/record.ts';

/**
 * The lines of what `program` was compiled to. `column` is what stands between address and instruction, by the index of the word; none
 * if left out.
 */
export function mipsListing(
  program: Program,
  compiled: MipsProgram,
  column: (index: number) => string = () => '',
): readonly string[] {
  const lines = listing(
    { ...compiled, symbols: targetsOf(compiled) },
    { bases: new Map([[A0, recordOf(program)]]), column },
  );
  const names = program.regions.map(({ name }) => name).join(', ');
  return [
    `${program.name}: a0 the activation record, ra the return address; v0 the value, v1 the status`,
    ...(names === '' ? [] : [`regions: ${names}`]),
    ...lines,
  ];
}

/** Where branches go, numbered in the order of the text. */
function targetsOf({ words, origin }: MipsProgram): ReadonlyMap<string, number> {
  const targets = new Set<number>();
  words.forEach((word, i) => {
    const { target } = controlFlow(word, origin + 4 * i);
    if (target !== undefined) targets.add(target);
  });
  const sorted = [...targets].sort((a, b) => a - b);
  return new Map(sorted.map((target, i) => [`to.${i + 1}`, target]));
}

function recordOf({ regions, parameters }: Program): RecordLayout {
  const fields: Record<string, number> = { fuel: ACTIVATION.fuel, status: ACTIVATION.status };
  regions.forEach(({ name }, region) => {
    fields[`${name}.base`] = activationRegion(region);
    fields[`${name}.length`] = activationRegion(region) + 4;
  });
  const after = activationRegion(regions.length);
  parameters.forEach((_, parameter) => (fields[`parameter${parameter}`] = after + 4 * parameter));
  fields['own'] = after + 4 * parameters.length;
  return { name: 'ACTIVATION', fields };
}
