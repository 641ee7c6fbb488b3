/** All triggers. A new kind is a line here and a file of its own. */
import { calendarTrigger } from './calendar.ts';
import { cronTrigger } from './cron.ts';
import { intervalTrigger } from './interval.ts';
import { PbsWatchHost } from './pbs-watch-host.ts';
import { pbsTrigger } from './pbs.ts';
import { startupTrigger } from './startup.ts';
import type { Trigger, TriggerDefinition, TriggerFactory, TriggerKind, TriggerServices } from './trigger.ts';

const factories: { readonly [Kind in TriggerKind]: TriggerFactory<Kind> } = {
  cron: cronTrigger,
  interval: intervalTrigger,
  calendar: calendarTrigger,
  pbs: pbsTrigger,
  startup: startupTrigger,
};

/** Triggers at work, by id. */
export interface Triggers {
  readonly byId: ReadonlyMap<string, Trigger>;
  /** The new set: those whose definition is unchanged go on undisturbed, the others end and begin. */
  replace(definitions: readonly TriggerDefinition[]): Promise<void>;
  /** Resolves when none fires any more and the watch process has ended. Idempotent. */
  close(): Promise<void>;
}

/** Ids must differ. `datastores` is what tests put in the place of the watch process. */
export function startTriggers(
  definitions: readonly TriggerDefinition[],
  around: Omit<TriggerServices, 'datastores'> & Partial<Pick<TriggerServices, 'datastores'>>,
): Triggers {
  const host = new PbsWatchHost(around.clock, around.logger);
  const services = { datastores: host, ...around };
  const byId = new Map<string, Trigger>();
  for (const definition of definitions) byId.set(definition.id, start(definition, services));
  return {
    byId,
    async replace(wanted) {
      const unchanged = new Set(wanted.filter((one) => isSame(one, byId.get(one.id)?.definition)).map(({ id }) => id));
      const ending = [...byId.values()].filter(({ definition }) => !unchanged.has(definition.id));
      for (const { definition } of ending) byId.delete(definition.id);
      await Promise.all(ending.map((trigger) => trigger.close()));
      for (const definition of wanted) {
        if (!byId.has(definition.id)) byId.set(definition.id, start(definition, services));
      }
    },
    async close() {
      await Promise.all([...byId.values()].map((trigger) => trigger.close()));
      await host.close();
    },
  };
}

function start<Kind extends TriggerKind>(definition: TriggerDefinition<Kind>, services: TriggerServices): Trigger {
  const factory: TriggerFactory<Kind> = factories[definition.kind as Kind];
  return factory(definition, services);
}

function isSame(a: TriggerDefinition, b: TriggerDefinition | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
