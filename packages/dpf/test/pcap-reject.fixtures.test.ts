/** Expressions of libpcap's own tables that must be refused. */
import { expect, test } from 'vitest';
import { DpfError } from '../src/index.ts';
import { compilePcap, type LinkType } from '../src/pcap/index.ts';
import { cases, HAS_FIXTURES } from './pcap-fixtures.ts';

interface Rejected {
  readonly name: string;
  readonly linktype: LinkType;
  readonly expression: string;
  readonly error: string;
}

const CODES = ['syntax', 'name', 'unsupported', 'range', 'limit'];

test.runIf(!HAS_FIXTURES)('skipped: there are no fixtures for the pcap language', (context) => {
  context.skip();
});

test.runIf(HAS_FIXTURES).each(cases('reject.json') as readonly Rejected[])(
  '$linktype: $expression',
  ({ linktype, expression }) => {
    // libpcap refuses an expression that no packet matches when it optimizes, and the cases are of that.
    const refusal = (() => {
      try {
        return compilePcap(expression, { linkType: linktype, refuseEmpty: true });
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(DpfError);
    const { code, details } = refusal as DpfError;
    expect(CODES).toContain(code);
    expect(details).toHaveProperty('found');
    expect(details['column']).toBeGreaterThan(0);
    expect(details['column']).toBeLessThanOrEqual(expression.length + 1);
  },
);
