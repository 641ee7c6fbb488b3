/**
 * Fires for finished snapshots of a datastore that were not there at the last fire; those of one settle period together.
 * The very first time all are new. What was seen is remembered only after the fire was taken, so a crash in between fires
 * again: a backup that finds nothing missing costs little, a snapshot nobody asked for is lost.
 */
import { messageOf } from '../core/errors.ts';
import { settlesAt, unsettled, type Unsettled } from './settle.ts';
import type { ScannedGroup, Trigger, TriggerDefinition, TriggerFactory, TriggerServices } from './trigger.ts';

const againMs = 30_000;
const namedGroups = 5;

/** Times of finished snapshots by group. */
type Seen = Readonly<Record<string, readonly number[]>>;

export const pbsTrigger: TriggerFactory<'pbs'> = (definition, services) => new PbsTrigger(definition, services);

/** States: *reading memory* → *watching* ↔ *settling* → *firing* → *watching*; `close` ends each of them. */
class PbsTrigger implements Trigger {
  readonly definition: TriggerDefinition<'pbs'>;
  readonly #services: TriggerServices;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #wake = new AbortController();
  #firstSeenMs = 0;
  #seen: Seen = {};
  #present: Seen | undefined;
  #unsettled: Unsettled | undefined;

  constructor(definition: TriggerDefinition<'pbs'>, services: TriggerServices) {
    this.definition = definition;
    this.#services = services;
    this.#work = this.#run();
  }

  nextDueMs(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#stopped() && !(await this.#remember())) await this.#sleep(againMs);
    if (this.#stopped()) return;
    const unwatch = this.#services.datastores.watch(this.definition.datastore, (groups) => {
      this.#scanned(groups);
    });
    try {
      while (!this.#stopped()) {
        this.#wake = new AbortController();
        const waitMs = await this.#fireIfSettled();
        if (!this.#stopped()) await this.#sleep(waitMs);
      }
    } finally {
      unwatch();
    }
  }

  async #remember(): Promise<boolean> {
    try {
      const memory = await this.#services.store.load(this.definition.id);
      this.#firstSeenMs = memory?.firstSeenMs ?? this.#services.clock.now();
      this.#seen = memory?.notes === undefined ? {} : (JSON.parse(memory.notes) as Seen);
      return true;
    } catch (error) {
      this.#warn(error);
      return false;
    }
  }

  #scanned(groups: readonly ScannedGroup[]): void {
    const before = this.#present ?? this.#seen;
    this.#present = Object.fromEntries(groups.map(({ name, finished }) => [name, finished]));
    // What came and went before it was fired for keeps nobody waiting.
    if (newIn(this.#present, this.#seen).length === 0) this.#unsettled = undefined;
    else if (newIn(this.#present, before).length > 0 || !this.#unsettled) {
      this.#unsettled = unsettled(this.#unsettled, this.#services.clock.monotonic());
      this.#wake.abort();
    }
  }

  /** Answers how long to sleep. */
  async #fireIfSettled(): Promise<number> {
    const { clock, fire, store } = this.#services;
    const present = this.#present;
    if (!this.#unsettled || !present) return Infinity;
    const leftMs = settlesAt(this.#unsettled, this.definition.settle) - clock.monotonic();
    if (leftMs > 0) return leftMs;
    try {
      const { id } = this.definition;
      await fire({ id, kind: 'pbs', detail: describe(newIn(present, this.#seen)) });
      const memory = { firstSeenMs: this.#firstSeenMs, lastDueMs: clock.now(), notes: JSON.stringify(present) };
      this.#seen = present;
      this.#unsettled = undefined;
      if (this.#present !== present) this.#scanned(asGroups(this.#present ?? {}));
      await store.save(id, memory);
      return 0;
    } catch (error) {
      this.#warn(error);
      return againMs;
    }
  }

  async #sleep(ms: number): Promise<void> {
    const options = { signal: this.#wake.signal, unref: true };
    await this.#services.clock.sleep(Math.min(ms, 86_400_000), options).catch(() => undefined);
  }

  #warn(error: unknown): void {
    this.#services.logger.warn('trigger.failed', { trigger: this.definition.id, error: messageOf(error) });
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}

interface NewSnapshots {
  readonly group: string;
  readonly count: number;
}

function newIn(present: Seen, seen: Seen): readonly NewSnapshots[] {
  return Object.entries(present).flatMap(([group, times]) => {
    const known = new Set(Object.hasOwn(seen, group) ? seen[group] : []);
    const count = times.filter((time) => !known.has(time)).length;
    return count > 0 ? [{ group, count }] : [];
  });
}

function asGroups(seen: Seen): readonly ScannedGroup[] {
  return Object.entries(seen).map(([name, finished]) => ({ name, finished }));
}

/** `2 new snapshots in vm/100, ct/101`. */
function describe(found: readonly NewSnapshots[]): string {
  const total = found.reduce((sum, { count }) => sum + count, 0);
  const names = found.slice(0, namedGroups).map(({ group }) => group);
  const more = found.length > namedGroups ? ` and ${found.length - namedGroups} more groups` : '';
  return `${total} new ${total === 1 ? 'snapshot' : 'snapshots'} in ${names.join(', ')}${more}`;
}
