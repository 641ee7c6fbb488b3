import type { Measurement } from '../bench.ts';
import { daemonMeasurement } from './daemon.ts';
import { firstMeasurement } from './first.ts';
import { manyMeasurement } from './many.ts';
import { unchangedMeasurement } from './unchanged.ts';

/** In the order in which they run: those that use one datastore follow each other. */
export const measurements: readonly Measurement[] = [
  unchangedMeasurement,
  manyMeasurement,
  firstMeasurement,
  daemonMeasurement,
];
