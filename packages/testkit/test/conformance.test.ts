import { batch } from '@exokernel/batch';
import { exos, exosInverted } from '@exokernel/exos';
import { describeLibOs } from '../src/index.ts';

describeLibOs(batch);
describeLibOs(exos);
describeLibOs(exosInverted);
// Slices of half a millisecond: their ends come anywhere.
describeLibOs(batch, 2048);
describeLibOs(exos, 2048);
describeLibOs(exosInverted, 2048);
