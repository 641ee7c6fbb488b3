import { parseCalendarEvent } from './calendar-parse.ts';
import { calendarTimes } from './calendar-times.ts';
import { ScheduleTrigger } from './schedule-trigger.ts';
import type { TriggerFactory } from './trigger.ts';

export const calendarTrigger: TriggerFactory<'calendar'> = (definition, services) => {
  const parsed = parseCalendarEvent(definition.text);
  if (!parsed.ok) throw new TypeError(`${definition.text} is no calendar event: ${parsed.why}`);
  const times = calendarTimes(parsed.event, definition.timezone);
  return new ScheduleTrigger(definition, services, () => times);
};
