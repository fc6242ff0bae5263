/** The library operating systems of the workspace with slices of half a millisecond, whose ends come anywhere. */
import { batch } from '../../batch/src/index.ts';
import { exos, exosInverted } from '../../exos/src/index.ts';
import { suite } from './suite.ts';

suite(batch, 2048);
suite(exos, 2048);
suite(exosInverted, 2048);
