import { cronTimes } from './cron-expression.ts';
import { ScheduleTrigger } from './schedule-trigger.ts';
import type { TriggerFactory } from './trigger.ts';

export const cronTrigger: TriggerFactory<'cron'> = (definition, services) =>
  new ScheduleTrigger(definition, services, () => cronTimes(definition.text, definition.timezone));
