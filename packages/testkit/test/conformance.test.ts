import { batch } from '@exokernel/batch';
import { exos } from '@exokernel/exos';
import { describeLibOs } from '../src/index.ts';

describeLibOs(batch);
describeLibOs(exos);
