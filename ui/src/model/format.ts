/** Numbers and times in words. Sizes count in powers of 1024, like the configuration and the command line. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.43 GiB`: three significant digits. */
export function bytes(count: number): string {
  let value = count;
  let at = 0;
  while (value >= 1023.5 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  if (at === 0) return `${String(Math.round(value))} B`;
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[at] ?? ''}`;
}

export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

const whole = new Intl.NumberFormat('en');

export function count(value: number): string {
  return whole.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `42 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return ms > 0 && ms < 950 ? `${(ms / 1000).toFixed(1)} s` : `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(seconds % 60).padStart(2, '0')} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${String(hours)} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
const steps = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** `5 minutes ago`, `in 2 hours`, `just now`. Rounds towards now: an age is never shown older than it is. */
export function ago(ms: number, nowMs: number): string {
  const difference = ms - nowMs;
  for (const [unit, length] of steps) {
    // From two of a unit on, but whole minutes as soon as there is one.
    if (Math.abs(difference) >= (unit === 'minute' ? length : 2 * length)) {
      return relative.format(Math.trunc(difference / length), unit);
    }
  }
  return difference > 0 ? 'in under a minute' : 'just now';
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' });

export function timeOfDay(ms: number): string {
  return clock.format(ms);
}

export function absolute(ms: number): string {
  return full.format(ms);
}

/** `rebuild-index` → `Rebuild index`. */
export function sentenceCase(name: string): string {
  const words = name.replaceAll(/[-_.]/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
