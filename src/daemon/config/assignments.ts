/** What a task needs of the configuration, as the plain JSON that crosses into its process. */
import { NotFoundError } from '../../core/errors.ts';
import type {
  BackupAssignment,
  LocationAssignment,
  PbsSourceAssignment,
  RepositoryAssignment,
  SecretTexts,
} from '../../tasks/kinds/assignment.ts';
import type { BackupConfig, Config, PbsSourceConfig, RepositoryConfig } from './config.ts';

/** @throws NotFoundError when the configuration has no repository of that name. */
export function repositoryAssignment(config: Config, name: string): RepositoryAssignment {
  const repository = config.repositories[name];
  if (repository === undefined) {
    throw new NotFoundError(`there is no repository ${name} in the configuration`, {
      hint: `There are: ${Object.keys(config.repositories).join(', ') || 'none'}.`,
    });
  }
  const { packSizeBytes, compression, concurrency } = repository;
  const level = compression === 'auto' ? undefined : compression === 'off' ? 0 : compression;
  return {
    name,
    location: location(repository),
    secrets: secrets(repository),
    readOnly: repository.readOnly,
    ...(packSizeBytes === undefined ? {} : { packBytes: packSizeBytes }),
    ...(level === undefined ? {} : { compression: level }),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}

/** @throws NotFoundError when the configuration has no backup of that name. */
export function backupConfig(config: Config, name: string): BackupConfig {
  const backup = config.backups[name];
  if (backup === undefined) {
    throw new NotFoundError(`there is no backup ${name} in the configuration`, {
      hint: `There are: ${Object.keys(config.backups).join(', ') || 'none'}.`,
    });
  }
  return backup;
}

/** `only`: these of its repositories, in the order of the configuration. @throws NotFoundError for unknown names. */
export function backupAssignment(config: Config, name: string, only: readonly string[]): BackupAssignment {
  const backup = backupConfig(config, name);
  const targets = backup.repositories.filter((target) => only.includes(target.name));
  const { threads } = backup.limits;
  return {
    name,
    source: source(backup.source),
    targets: targets.map((target) => ({ ...repositoryAssignment(config, target.name), keep: target.keep })),
    timeZone: config.timezone,
    allowDamaged: backup.allowDamaged,
    ...(threads === undefined ? {} : { threads }),
  };
}

function source(config: PbsSourceConfig): PbsSourceAssignment {
  const { type, datastore, include, exclude, namespaces, snapshots, verify, lock } = config;
  const selection =
    snapshots.select === 'last'
      ? ({ type: 'last', count: snapshots.last } as const)
      : ({ type: snapshots.select } as const);
  return { type, datastore, include, exclude, namespaces, snapshots: selection, verify, lockMaxMs: lock.maxMs };
}

function location(config: RepositoryConfig): LocationAssignment {
  switch (config.type) {
    case 'filesystem':
      return { type: 'filesystem', path: config.path };
    case 's3': {
      const { endpoint, bucket, prefix, region } = config;
      return { type: 's3', endpoint, bucket, prefix, region };
    }
    case 'sia': {
      const { endpoint, bucket, prefix, gateway, offsiteEveryMs } = config;
      return { type: 'sia', endpoint, bucket, prefix, offsiteEveryMs, ...(gateway ? { gatewayApi: gateway.api } : {}) };
    }
  }
}

function secrets(config: RepositoryConfig): SecretTexts {
  const password = config.password.reveal();
  if (config.type === 'filesystem') return { password };
  const store = { password, accessKey: config.accessKey.reveal(), secretKey: config.secretKey.reveal() };
  if (config.type === 'sia' && config.gateway) return { ...store, gatewayPassword: config.gateway.password.reveal() };
  return store;
}

/** Every secret text of the configuration: what must never be seen in a log or an answer. */
export function secretTexts(config: Config): readonly string[] {
  return Object.values(config.repositories).flatMap((repository) =>
    Object.values<string | undefined>({ ...secrets(repository) }).filter((text) => text !== undefined),
  );
}
