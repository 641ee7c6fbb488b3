import { messageOf } from '../core/errors.ts';
import type { TriggerFactory } from './trigger.ts';

const againMs = 30_000;

/** Fires once, when the daemon starts; again until the request is taken. */
export const startupTrigger: TriggerFactory<'startup'> = (definition, services) => {
  const { clock, logger } = services;
  const stop = new AbortController();
  const { signal } = stop;
  const attempt = async (): Promise<boolean> => {
    try {
      await services.fire({ id: definition.id, kind: 'startup', detail: 'start of the daemon' });
      return true;
    } catch (error) {
      logger.warn('trigger.failed', { trigger: definition.id, error: messageOf(error) });
      await clock.sleep(againMs, { signal, unref: true }).catch(() => undefined);
      return signal.aborted;
    }
  };
  const run = async (): Promise<void> => {
    while (!(await attempt()));
  };
  const work = run();
  return {
    definition,
    nextDueMs: () => undefined,
    close: async () => {
      stop.abort();
      await work;
    },
  };
};
