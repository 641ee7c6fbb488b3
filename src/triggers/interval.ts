import { parseDuration } from '../core/units.ts';
import { intervalTimes } from './interval-times.ts';
import { ScheduleTrigger } from './schedule-trigger.ts';
import type { TriggerFactory } from './trigger.ts';

/** Counts from when it was first seen, so it first fires one interval after that. */
export const intervalTrigger: TriggerFactory<'interval'> = (definition, services) => {
  const periodMs = parseDuration(definition.text);
  if (periodMs === undefined) throw new TypeError(`${definition.text} is no interval`);
  return new ScheduleTrigger(definition, services, (firstSeenMs) => intervalTimes(periodMs, firstSeenMs));
};
