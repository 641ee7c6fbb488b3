/** The triggers of the configuration in force, and what each asks for when it fires. */
import type { TaskRequest } from '../tasks/task.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import { startTriggers, type Triggers } from '../triggers/registry.ts';
import type { Fire, TriggerDefinition, TriggerStore } from '../triggers/trigger.ts';
import type { BackupConfig, Config, Schedule } from './config/config.ts';
import { scheduledBackup, scheduledCheck } from './requests.ts';

export interface TriggerSetParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: TriggerStore;
  /** Resolves when the request is durable. */
  readonly enqueue: (request: TaskRequest) => Promise<unknown>;
}

interface Wanted {
  readonly definition: TriggerDefinition;
  /** `backup NAME` or `repository NAME`. */
  readonly owner: string;
  readonly request: (fire: Fire) => TaskRequest;
}

export class TriggerSet {
  readonly #enqueue: TriggerSetParts['enqueue'];
  readonly #triggers: Triggers;
  /** Of the configuration in force, by id. */
  #wanted: ReadonlyMap<string, Wanted> = new Map();

  /** Nothing is triggered before the first `apply`. */
  constructor({ enqueue, ...around }: TriggerSetParts) {
    this.#enqueue = enqueue;
    this.#triggers = startTriggers([], { ...around, fire: (fire) => this.#fire(fire) });
  }

  /** What is new begins, what is gone ends, and what stayed the same goes on undisturbed. */
  async apply(config: Config): Promise<void> {
    this.#wanted = new Map(wantedTriggers(config).map((one) => [one.definition.id, one]));
    await this.#triggers.replace([...this.#wanted.values()].map(({ definition }) => definition));
  }

  nextFireMs(backup: string): number | undefined {
    let earliest: number | undefined;
    for (const { owner, definition } of this.#wanted.values()) {
      if (owner !== `backup ${backup}`) continue;
      const dueMs = this.#triggers.byId.get(definition.id)?.nextDueMs();
      if (dueMs !== undefined) earliest = Math.min(earliest ?? Infinity, dueMs);
    }
    return earliest;
  }

  close(): Promise<void> {
    return this.#triggers.close();
  }

  /** With the request as the configuration in force makes it; a trigger that is just ending asks for nothing. */
  async #fire(fire: Fire): Promise<void> {
    const wanted = this.#wanted.get(fire.id);
    if (wanted) await this.#enqueue(wanted.request(fire));
  }
}

function wantedTriggers(config: Config): readonly Wanted[] {
  const backups = Object.values(config.backups).flatMap((backup) => backupTriggers(backup, config));
  const checks = Object.values(config.repositories).flatMap(({ name, check }) =>
    check.schedules.map((schedule) => ({
      definition: definitionOf(schedule, `repository ${name} check`, config.timezone, 'once'),
      owner: `repository ${name}`,
      request: (fire: Fire) => scheduledCheck(config, name, fire),
    })),
  );
  return [...backups, ...checks];
}

function backupTriggers(backup: BackupConfig, config: Config): readonly Wanted[] {
  const owner = `backup ${backup.name}`;
  const request = (fire: Fire): TaskRequest => scheduledBackup(backup, fire);
  const scheduled = backup.schedules.map((schedule) => ({
    definition: definitionOf(schedule, owner, config.timezone, backup.catchUp),
    owner,
    request,
  }));
  if (backup.watch === undefined) return scheduled;
  const { datastore } = backup.source;
  const definition: TriggerDefinition = {
    kind: 'pbs',
    id: `${owner} pbs ${datastore}`,
    datastore,
    settle: backup.watch.settle,
  };
  return [...scheduled, { definition, owner, request }];
}

/** The id has everything that decides the due times: another text or time zone begins anew. */
function definitionOf(
  { kind, text }: Schedule,
  owner: string,
  timezone: string,
  catchUp: BackupConfig['catchUp'],
): TriggerDefinition {
  if (kind === 'startup') return { kind, id: `${owner} startup` };
  return { kind, id: `${owner} ${kind} ${timezone} ${text}`, text, timezone, catchUp };
}
