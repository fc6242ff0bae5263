/** `exok kernel`, `kit`, `filter` and `handler` with `--disassemble`: machine code as listings. */
import type { Command } from 'commander';
import type { ListingName } from '../disassemble.ts';

interface Listing {
  readonly name: ListingName;
  readonly operands: string;
  readonly what: string;
  readonly example: string;
}

const LISTINGS: readonly Listing[] = [
  {
    name: 'kernel',
    operands: '[symbol]',
    what: "the kernel's text: labels, notes, names of fields, cycles",
    example: 'exok kernel --disassemble scall',
  },
  {
    name: 'kit',
    operands: '[symbol]',
    what: 'the same of the text under every library operating system',
    example: 'exok kit --disassemble kit.yield',
  },
  {
    name: 'filter',
    operands: '<filter...>',
    what: 'what the kernel compiles filters to',
    example: "exok filter --disassemble 'udp dstPort=53' 'arp operation=1'",
  },
  {
    name: 'handler',
    operands: '<name>',
    what: 'the same of a handler: udpEcho, remoteIncrement, or a file of encodeHandler',
    example: 'exok handler --disassemble udpEcho',
  },
];

export function addListings(program: Command): void {
  for (const { name, operands, what, example } of LISTINGS) {
    program
      .command(name)
      .description(what)
      .argument(operands)
      .requiredOption('--disassemble', 'as a listing')
      .addHelpText('after', `\nExamples:\n  ${example}`)
      .action(async (given: string | readonly string[] | undefined) => {
        const { listing } = await import('../disassemble.ts');
        process.stdout.write(`${listing(name, [given ?? []].flat()).join('\n')}\n`);
      });
  }
}
