import { batch } from '@exokernel/batch';
import { exos } from '@exokernel/exos';
import { describeLibOs } from '../src/index.ts';

describeLibOs(batch);
describeLibOs(exos);
// Slices of half a millisecond: their ends come anywhere.
describeLibOs(batch, 2048);
describeLibOs(exos, 2048);
