/** What the kernel tells about a running process (proc(5)). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Processor time of all threads, and of children that have ended, in milliseconds; undefined once it has ended itself. */
export function processorMs(pid: number): number | undefined {
  const text = read(`/proc/${String(pid)}/stat`);
  if (text === undefined) return undefined;
  // The name stands in brackets and may hold anything; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const spent = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (spent * 1000) / ticksASecond();
}

/** Memory of its own: without what is mapped from files. Undefined once the process has ended. */
export function anonymousBytes(pid: number): number | undefined {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(read(`/proc/${String(pid)}/status`) ?? '');
  return match ? Number(match[1]) * 1024 : undefined;
}

let ticks: number | undefined;

function ticksASecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
