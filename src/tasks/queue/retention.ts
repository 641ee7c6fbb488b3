import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { ForgetQuery, QueueStore } from './store.ts';

/** A due time does not come up again after so long, whatever the clock does. */
const keepFiresMs = 60 * 86_400_000;
const everyMs = 6 * 3_600_000;
const batch = 500;

export interface History {
  readonly store: Pick<QueueStore, 'forget'>;
  /** Logs of tasks; those last written before `beforeMs` go. */
  readonly logs: { forget(beforeMs: number): Promise<void> };
  /** How long both are kept, asked each time. */
  readonly keepMs: () => number;
}

/** Removes what is older than its time, at once and then four times a day, until aborted. Never rejects. */
export async function keepHistoryShort(
  history: History,
  around: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, logger, signal } = around;
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    try {
      const keepMs = history.keepMs();
      while ((await history.store.forget(age(clock.now(), keepMs))) === batch) signal.throwIfAborted();
      await history.logs.forget(clock.now() - keepMs);
    } catch (error) {
      if (stopped()) return;
      logger.warn('history.forget-failed', { error: messageOf(error) });
    }
    await clock.sleep(everyMs, { signal, unref: true }).catch(() => undefined);
  }
}

function age(nowMs: number, historyMs: number): ForgetQuery {
  const firedBeforeMs = nowMs - Math.max(historyMs, keepFiresMs);
  return { endedBeforeMs: nowMs - historyMs, firedBeforeMs, limit: batch };
}
