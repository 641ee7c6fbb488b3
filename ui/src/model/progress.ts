/** What a running task tells, without invented numbers: no total, no percentage; no steady rate, no time left. */
import type { RunningTaskView, StatusView } from '../../../src/daemon/api/contract.ts';
import { bytes, count, duration, rate, sentenceCase } from './format.ts';

export interface ProgressView {
  readonly phase: string;
  /** 0 to 1; absent while the total is unknown. */
  readonly fraction: number | undefined;
  /** `43 %`, or the bytes so far. */
  readonly short: string;
  /** For the progress bar, in words. */
  readonly text: string;
  readonly item: string | undefined;
  readonly figures: readonly { readonly name: string; readonly value: string }[];
}

/** Before that, a rate says more about the start than about the rest. */
const trustedAfterMs = 30_000;

export function runningTasks(status: StatusView): readonly RunningTaskView[] {
  return status.running.filter(
    (task): task is RunningTaskView => task.state === 'running' || task.state === 'aborting',
  );
}

function fractionOf(done: number, total: number | undefined): number | undefined {
  return total === undefined || total <= 0 ? undefined : Math.min(1, done / total);
}

function amount(done: string, total: string | undefined): string {
  return total === undefined ? done : `${done} of ${total}`;
}

/** `18.2 of 42.6 GiB`: the unit once when it is the same. */
function bytesOf(done: number, total: number | undefined): string {
  if (total === undefined) return bytes(done);
  const [[value = '', unit], whole] = [bytes(done).split(' '), bytes(total)];
  return amount(unit === whole.split(' ')[1] ? value : bytes(done), whole);
}

/** Rounded down: 100 % is shown when everything is done and not before. */
function percent(fraction: number): string {
  return `${String(Math.floor(fraction * 100))} %`;
}

export function progressOf(task: RunningTaskView, nowMs: number): ProgressView {
  const elapsedMs = Math.max(0, nowMs - task.startedMs);
  const elapsed = { name: 'Elapsed', value: duration(elapsedMs) };
  const { progress } = task;
  if (progress === undefined) {
    return {
      phase: 'Starting',
      fraction: undefined,
      short: 'starting',
      text: 'starting',
      item: undefined,
      figures: [elapsed],
    };
  }
  const fraction = fractionOf(progress.doneBytes, progress.totalBytes) ?? itemFraction(task);
  const done = bytesOf(progress.doneBytes, progress.totalBytes);
  const items = amount(
    count(progress.doneItems),
    progress.totalItems === undefined ? undefined : count(progress.totalItems),
  );
  const left = timeLeft(task, elapsedMs);
  return {
    phase: sentenceCase(progress.phase),
    fraction,
    short: fraction === undefined ? bytes(progress.doneBytes) : percent(fraction),
    text: fraction === undefined ? `${done} so far, total unknown` : `${percent(fraction)}, ${done}`,
    item: progress.item,
    figures: [
      { name: 'Processed', value: done },
      { name: 'Uploaded', value: bytes(progress.uploadedBytes) },
      { name: 'Rate', value: rate(progress.bytesPerSecond) },
      { name: 'Items', value: items },
      elapsed,
      ...(left === undefined ? [] : [{ name: 'Left', value: left }]),
    ],
  };
}

/** A task that has bytes but no total of them may still know its items. */
function itemFraction({ progress }: RunningTaskView): number | undefined {
  return progress && progress.totalBytes === undefined
    ? fractionOf(progress.doneItems, progress.totalItems)
    : undefined;
}

function timeLeft({ progress }: RunningTaskView, elapsedMs: number): string | undefined {
  if (progress?.totalBytes === undefined || progress.bytesPerSecond <= 0 || elapsedMs < trustedAfterMs)
    return undefined;
  const left = Math.max(0, progress.totalBytes - progress.doneBytes);
  return left === 0 ? undefined : `about ${duration((left / progress.bytesPerSecond) * 1000)}`;
}
