/** The triggers of the configuration in force, and what each asks for when it fires. */
import type { TaskRequest } from '../tasks/task.ts';
import type { Fire, Trigger, TriggerDefinition, TriggerServices } from '../triggers/trigger.ts';
import type { BackupConfig, Config, Schedule } from './config/config.ts';
import { scheduledBackup, scheduledCheck } from './requests.ts';

export interface TriggerSetParts {
  readonly services: Omit<TriggerServices, 'fire'>;
  readonly start: (definition: TriggerDefinition, services: TriggerServices) => Trigger;
  /** Resolves when the request is durable. */
  readonly enqueue: (request: TaskRequest) => Promise<unknown>;
}

interface Wanted {
  readonly definition: TriggerDefinition;
  /** `backup NAME` or `repository NAME`. */
  readonly owner: string;
  readonly request: (fire: Fire) => TaskRequest;
}

interface Active {
  readonly wanted: Wanted;
  readonly trigger: Trigger;
}

export class TriggerSet {
  readonly #parts: TriggerSetParts;
  #active = new Map<string, Active>();

  constructor(parts: TriggerSetParts) {
    this.#parts = parts;
  }

  /** Starts what is new, ends what is gone, and leaves what stayed the same as it is. */
  async apply(config: Config): Promise<void> {
    const wanted = new Map(wantedTriggers(config).map((one) => [one.definition.id, one]));
    const ending: Promise<void>[] = [];
    const next = new Map<string, Active>();
    for (const [id, active] of this.#active) {
      const found = wanted.get(id);
      if (found && sameDefinition(found, active.wanted)) next.set(id, { wanted: found, trigger: active.trigger });
      else ending.push(active.trigger.close());
    }
    await Promise.all(ending);
    this.#active = next;
    for (const [id, one] of wanted) {
      if (next.has(id)) continue;
      const trigger = this.#parts.start(one.definition, { ...this.#parts.services, fire: (fire) => this.#fire(fire) });
      next.set(id, { wanted: one, trigger });
    }
  }

  nextFireMs(backup: string): number | undefined {
    let earliest: number | undefined;
    for (const { wanted, trigger } of this.#active.values()) {
      const dueMs = wanted.owner === `backup ${backup}` ? trigger.nextDueMs() : undefined;
      if (dueMs !== undefined) earliest = Math.min(earliest ?? Infinity, dueMs);
    }
    return earliest;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#active.values()].map(({ trigger }) => trigger.close()));
    this.#active.clear();
  }

  /** With the request as the configuration in force makes it; a trigger that was just ended asks for nothing. */
  async #fire(fire: Fire): Promise<void> {
    const active = this.#active.get(fire.id);
    if (active) await this.#parts.enqueue(active.wanted.request(fire));
  }
}

function sameDefinition(a: Wanted, b: Wanted): boolean {
  return JSON.stringify(a.definition) === JSON.stringify(b.definition);
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
