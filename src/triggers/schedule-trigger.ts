/**
 * A schedule at work. States: *starting* (what it remembers is read) → *waiting* ↔ *firing* → *closed*.
 *
 * A due time that is at most a minute old is on time; an older one was missed, and `catchUp` decides: `once` fires the latest
 * of them, `all` each, `skip` none. Memory is written only after a fire was taken. When the wall clock was set back by more
 * than an hour, due times are counted again from the present; those that were due before are known to `fire` by their time.
 */
import { messageOf } from '../core/errors.ts';
import { type DueTimes, latestDue } from './due-times.ts';
import type { ScheduleKind, Trigger, TriggerDefinition, TriggerMemory, TriggerServices } from './trigger.ts';

const onTimeMs = 60_000;
/** Sleeps are cut to this, so that a clock that was set and a machine that slept are noticed. */
const longestSleepMs = 30_000;
const setBackMs = 3_600_000;

export class ScheduleTrigger implements Trigger {
  readonly definition: TriggerDefinition<ScheduleKind>;
  readonly #services: TriggerServices;
  readonly #timesOf: (firstSeenMs: number) => DueTimes;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #times: DueTimes | undefined;
  #nextMs: number | undefined;

  /** @param timesOf the due times of a schedule that was first seen at that time */
  constructor(
    definition: TriggerDefinition<ScheduleKind>,
    services: TriggerServices,
    timesOf: (firstSeenMs: number) => DueTimes,
  ) {
    this.definition = definition;
    this.#services = services;
    this.#timesOf = timesOf;
    this.#work = this.#run();
  }

  nextDueMs(): number | undefined {
    return this.#nextMs;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#services;
    let memory: TriggerMemory | undefined;
    while (!this.#stopped()) {
      let pauseMs = longestSleepMs;
      try {
        memory ??= await this.#remember();
        memory = await this.#fireDue(memory);
        this.#nextMs = this.#times?.after(Math.max(memory.lastDueMs, clock.now()));
        pauseMs = Math.min(longestSleepMs, (this.#nextMs ?? Infinity) - clock.now());
      } catch (error) {
        logger.warn('trigger.failed', { trigger: this.definition.id, error: messageOf(error) });
        // What was taken and not recorded is read again.
        memory = undefined;
      }
      if (!this.#stopped())
        await clock.sleep(pauseMs, { signal: this.#stop.signal, unref: true }).catch(() => undefined);
    }
  }

  async #remember(): Promise<TriggerMemory> {
    const { clock, store } = this.#services;
    const { id } = this.definition;
    let memory = await store.load(id);
    if (!memory) {
      memory = { firstSeenMs: clock.now(), lastDueMs: clock.now() };
      await store.save(id, memory);
    }
    this.#times = this.#timesOf(memory.firstSeenMs);
    return memory;
  }

  async #fireDue(remembered: TriggerMemory): Promise<TriggerMemory> {
    let memory = this.#afterSetBack(remembered);
    for (;;) {
      const nowMs = this.#services.clock.now();
      const step = this.#nextStep(memory.lastDueMs, nowMs);
      if (!step || this.#stopped()) return memory;
      const { id, kind, text } = this.definition;
      const { dueMs, late } = step;
      if (step.fire) await this.#services.fire({ id, kind: late ? 'catch-up' : kind, detail: text, dueMs });
      memory = { ...memory, lastDueMs: dueMs };
      await this.#services.store.save(id, memory);
    }
  }

  #nextStep(
    lastDueMs: number,
    nowMs: number,
  ): { readonly dueMs: number; readonly late: boolean; readonly fire: boolean } | undefined {
    const times = this.#times;
    const dueMs = times?.after(lastDueMs);
    if (!times || dueMs === undefined || dueMs > nowMs) return undefined;
    const missedUntilMs = nowMs - onTimeMs - 1;
    if (dueMs > missedUntilMs) return { dueMs, late: false, fire: true };
    const { catchUp, id } = this.definition;
    if (catchUp === 'all') return { dueMs, late: true, fire: true };
    const latestMs = latestDue(times, lastDueMs, missedUntilMs) ?? dueMs;
    this.#services.logger.info('trigger.missed', { trigger: id, firstDueMs: dueMs, latestDueMs: latestMs, catchUp });
    return { dueMs: latestMs, late: true, fire: catchUp === 'once' };
  }

  #afterSetBack(memory: TriggerMemory): TriggerMemory {
    const nowMs = this.#services.clock.now();
    if (memory.lastDueMs - nowMs <= setBackMs) return memory;
    this.#services.logger.warn('trigger.clock-set-back', {
      trigger: this.definition.id,
      lastDueMs: memory.lastDueMs,
      nowMs,
    });
    return { ...memory, lastDueMs: nowMs };
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
