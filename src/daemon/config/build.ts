/** From the vocabulary, complete and checked, to the configuration. */
import { resolve } from 'node:path';
import type { Secret } from '../../core/secret.ts';
import { repositoryName } from './check-references.ts';
import type { BackupConfig, Config, PbsSourceConfig, RepositoryConfig } from './config.ts';
import { parseListen } from './listen.ts';
import type { Vocabulary, VocabularyBackup, VocabularyRepository } from './schema.ts';
import type { SecretSource } from './words.ts';

/** What the values need to become a configuration. */
export interface Surroundings {
  readonly file: string;
  /** The folder that relative paths start from. */
  readonly folder: string;
  readonly secret: (from: SecretSource) => Secret;
}

/** @throws TypeError for values without the defaults of `layers.ts`: a bug */
export function buildConfig(values: Vocabulary, around: Surroundings): Config {
  const { daemon, log } = values;
  const repositories: Record<string, RepositoryConfig> = {};
  for (const [name, one] of Object.entries(values.repositories ?? {})) {
    repositories[name] = buildRepository(name, one, around);
  }
  const backups: Record<string, BackupConfig> = {};
  for (const [name, one] of Object.entries(values.backups ?? {})) {
    for (const entry of one.repositories) {
      if (typeof entry !== 'object' || !('type' in entry)) continue;
      const own = repositoryName(name, entry);
      repositories[own] = buildRepository(own, entry, around);
    }
    backups[name] = buildBackup(name, one, around);
  }
  const format = must(log?.format, 'log.format');
  return freeze({
    file: around.file,
    device: must(values.device, 'device'),
    timezone: must(values.timezone, 'timezone'),
    daemon: {
      listen: must(parseListen(must(daemon?.listen, 'daemon.listen')), 'daemon.listen'),
      state: resolve(around.folder, must(daemon?.state, 'daemon.state')),
      concurrency: must(daemon?.concurrency, 'daemon.concurrency'),
      historyMs: must(daemon?.history, 'daemon.history'),
    },
    log: { level: must(log?.level, 'log.level'), format: format === 'pretty' ? format : 'json' },
    repositories,
    backups,
  });
}

function buildRepository(name: string, one: VocabularyRepository, around: Surroundings): RepositoryConfig {
  const base = {
    name,
    password: around.secret(one.password),
    packSizeBytes: typeof one.packSize === 'number' ? one.packSize : undefined,
    compression: must(one.compression, 'compression'),
    concurrency: one.concurrency,
    readOnly: must(one.readOnly, 'readOnly'),
    check: {
      schedules: must(one.check?.schedules, 'check.schedules'),
      priority: must(one.check?.priority, 'check.priority'),
    },
  };
  if (one.type === 'filesystem') return { ...base, type: one.type, path: resolve(around.folder, one.path) };
  const access = {
    endpoint: one.endpoint.replace(/\/+$/, ''),
    bucket: one.bucket,
    prefix: folderPrefix(one.prefix ?? ''),
    accessKey: around.secret(one.accessKey),
    secretKey: around.secret(one.secretKey),
  };
  if (one.type === 's3') return { ...base, ...access, type: one.type, region: must(one.region, 'region') };
  const gateway = one.gateway && { api: one.gateway.api, password: around.secret(one.gateway.password) };
  return { ...base, ...access, type: one.type, gateway, offsiteEveryMs: must(one.offsite?.every, 'offsite.every') };
}

function buildBackup(name: string, one: VocabularyBackup, around: Surroundings): BackupConfig {
  const settle = one.watch?.settle;
  return {
    name,
    source: buildSource(one, around),
    repositories: one.repositories.map((entry) => {
      const own = typeof entry === 'object' && !('type' in entry) ? entry.keep : undefined;
      return { name: repositoryName(name, entry), keep: keepRules({ ...one.keep, ...own }) };
    }),
    watch: one.watch && {
      settle: { minMs: must(settle?.min, 'watch.settle.min'), maxMs: must(settle?.max, 'watch.settle.max') },
    },
    schedules: must(one.schedules, 'schedules'),
    catchUp: must(one.catchUp, 'catchUp'),
    priority: must(one.priority, 'priority'),
    limits: {
      timeMs: one.limits?.time,
      retries: must(one.limits?.retries, 'limits.retries'),
      threads: one.limits?.threads,
      nice: one.limits?.nice,
      io: one.limits?.io,
    },
    allowDamaged: must(one.allowDamaged, 'allowDamaged'),
  };
}

function buildSource({ source }: VocabularyBackup, around: Surroundings): PbsSourceConfig {
  if (source.type !== 'pbs') throw new TypeError(`a source of type ${source.type} was not refused`);
  const { snapshots } = source;
  return {
    type: 'pbs',
    datastore: resolve(around.folder, source.datastore),
    include: must(source.include, 'source.include'),
    exclude: must(source.exclude, 'source.exclude'),
    namespaces: {
      root: must(source.namespaces?.root, 'source.namespaces.root'),
      depth: must(source.namespaces?.depth, 'source.namespaces.depth'),
    },
    snapshots: selection(snapshots),
    verify: must(source.verify, 'source.verify'),
    lock: { maxMs: must(source.lock?.max, 'source.lock.max') },
  };
}

function selection(snapshots: 'all' | { readonly last: number } | undefined): PbsSourceConfig['snapshots'] {
  if (snapshots === undefined) return { select: 'keep' };
  return snapshots === 'all' ? { select: 'all' } : { select: 'last', last: snapshots.last };
}

function keepRules({
  within,
  ...counts
}: NonNullable<VocabularyBackup['keep']>): BackupConfig['repositories'][number]['keep'] {
  return within === undefined ? counts : { ...counts, withinMs: within };
}

function folderPrefix(prefix: string): string {
  const plain = prefix.replace(/^\/+/, '');
  return plain === '' || plain.endsWith('/') ? plain : `${plain}/`;
}

function must<T>(value: T | undefined, path: string): T {
  if (value === undefined) throw new TypeError(`${path} has no default`);
  return value;
}

/** Freezes all mappings and lists; secrets are immutable already. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
