/**
 * # Triggers: what asks for work
 *
 * A trigger knows neither tasks nor repositories: it only *fires*. Words: a *schedule* is a text that says when
 * (`cron`, `interval`, `calendar`); a *due time* is a moment, in milliseconds since the epoch, at which it asks; *catch-up*
 * is what happens to due times that nobody was there to see.
 *
 * Invariants:
 * 1. A due time is handed to `fire` at least once and recorded only after `fire` resolved; as `fire` is idempotent by
 *    (trigger id, due time), it takes effect exactly once: over restarts, clock jumps and changes of summer time.
 * 2. No trigger depends on an event that may get lost: watchers only shorten the wait for the next scan.
 * 3. A trigger that cannot work says so in the log and tries again; it never ends the daemon or another trigger.
 */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';

export type TriggerKind = 'cron' | 'interval' | 'calendar' | 'pbs' | 'startup';
export type ScheduleKind = Extract<TriggerKind, 'cron' | 'interval' | 'calendar'>;

/** What happens to due times missed while the daemon was down: the latest one, each, or none. */
export type CatchUp = 'once' | 'all' | 'skip';

/** `settle`: fires when nothing new came for `minMs`, at the latest `maxMs` after the first new thing. */
export interface Settle {
  readonly minMs: number;
  readonly maxMs: number;
}

interface ScheduleDefinition<Kind extends ScheduleKind> {
  readonly kind: Kind;
  readonly id: string;
  /** As written; valid by `parseSchedule`. */
  readonly text: string;
  readonly timezone: string;
  readonly catchUp: CatchUp;
}

interface Definitions {
  readonly cron: ScheduleDefinition<'cron'>;
  readonly interval: ScheduleDefinition<'interval'>;
  readonly calendar: ScheduleDefinition<'calendar'>;
  readonly pbs: {
    readonly kind: 'pbs';
    readonly id: string;
    /** Absolute path of the datastore. */
    readonly datastore: string;
    readonly settle: Settle;
  };
  readonly startup: { readonly kind: 'startup'; readonly id: string };
}

/** `id` is stable over restarts and changes when the meaning changes: it is the key of what is remembered. */
export type TriggerDefinition<Kind extends TriggerKind = TriggerKind> = Definitions[Kind];

/** One request for work. `kind` is `catch-up` when a schedule makes up for a missed due time. */
export interface Fire {
  readonly id: string;
  readonly kind: TriggerKind | 'catch-up';
  /** The schedule text, or what was found, for people. */
  readonly detail: string;
  /** Absent where no due time exists (`pbs`, `startup`): such fires are not deduplicated. */
  readonly dueMs?: number;
}

/** What a trigger must remember over restarts. */
export interface TriggerMemory {
  readonly firstSeenMs: number;
  readonly lastDueMs: number;
  /** The trigger's own notes, JSON. */
  readonly notes?: string;
}

/** Durable when the promise resolves. */
export interface TriggerStore {
  load(id: string): Promise<TriggerMemory | undefined>;
  save(id: string, memory: TriggerMemory): Promise<void>;
}

/** One group of a datastore as a scan found it. */
export interface ScannedGroup {
  /** `vm/100`, or `a/b:vm/100` in a namespace. */
  readonly name: string;
  /** Times of its finished snapshots, in seconds since the epoch, rising. */
  readonly finished: readonly number[];
}

/** Looks into datastores again and again, somewhere else. */
export interface DatastoreWatch {
  /** `scanned` gets everything there is, after every scan. Answers the function that ends it. Idempotent per call. */
  watch(datastore: string, scanned: (groups: readonly ScannedGroup[]) => void): () => void;
}

export interface TriggerServices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: TriggerStore;
  readonly datastores: DatastoreWatch;
  /** Resolves when the request is durable. Called again with the same due time after a failure or a crash. */
  readonly fire: (fire: Fire) => Promise<void>;
}

/** A trigger at work. */
export interface Trigger {
  readonly definition: TriggerDefinition;
  /** The next due time, where there is one. */
  nextDueMs(): number | undefined;
  /** Stops it; resolves when nothing of it runs any more. Idempotent. */
  close(): Promise<void>;
}

export type TriggerFactory<Kind extends TriggerKind> = (
  definition: TriggerDefinition<Kind>,
  services: TriggerServices,
) => Trigger;
