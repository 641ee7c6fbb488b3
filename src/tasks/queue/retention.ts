import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { ForgetQuery, QueueStore } from './store.ts';

/** A due time does not come up again after so long, whatever the clock does. */
const keepFiresMs = 60 * 86_400_000;
const everyMs = 6 * 3_600_000;
const batch = 500;

/** Removes ended tasks older than `historyMs`, at once and then four times a day, until aborted. Never rejects. */
export async function keepHistoryShort(
  store: Pick<QueueStore, 'forget'>,
  historyMs: number,
  around: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, logger, signal } = around;
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    try {
      while ((await store.forget(age(clock.now(), historyMs))) === batch) signal.throwIfAborted();
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
