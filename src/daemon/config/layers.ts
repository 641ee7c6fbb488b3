/** Defaults below what is written, and where each effective value came from. */
import { hostname } from 'node:os';
import type { EffectiveValue } from './config.ts';
import type { ConfigSource, Path } from './source.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** Every default, in the words of the file. Where none stands here, the absence of a key has a meaning of its own. */
const everywhere = {
  daemon: { listen: '127.0.0.1:8480', state: '/var/lib/nestegg', concurrency: 2, history: '400d' },
  log: { level: 'info', format: 'json' },
};
const everyRepository = {
  packSize: 'auto',
  compression: 'auto',
  readOnly: false,
  check: { schedules: [], priority: 'inferior' },
};
const byRepositoryType: Readonly<Record<string, Mapping>> = {
  filesystem: {},
  s3: { prefix: '', region: 'us-east-1' },
  sia: { prefix: '', offsite: { every: '6h' } },
};
const bySourceType: Readonly<Record<string, Mapping>> = {
  pbs: { include: [], exclude: [], namespaces: { root: '', depth: 7 }, verify: 'digest', lock: { max: '6h' } },
};
const everyBackup = {
  schedules: [],
  catchUp: 'once',
  priority: 'normal',
  keep: {},
  limits: { retries: 2 },
  allowDamaged: false,
};
const everyWatch = { settle: { min: '30s', max: '15m' } };

/** A tree of values, each leaf with its origin: `undefined` for a default, else its path in the file. */
interface Layer {
  readonly value: unknown;
  readonly at: Path | undefined;
}

export interface Layered {
  /** The whole configuration as a person would have to write it without defaults. */
  readonly value: Mapping;
  readonly effective: readonly EffectiveValue[];
}

/** @param raw a tree that the schema accepts */
export function withDefaults(raw: unknown, source: ConfigSource): Layered {
  const written = mapping(raw);
  const system = { device: hostname(), timezone: new Intl.DateTimeFormat().resolvedOptions().timeZone };
  const effective: EffectiveValue[] = [];
  const tell = (path: Path, layers: readonly Layer[]): unknown => merge(path, layers, source, effective);
  const { defaults, repositories, backups, ...rest } = written;
  const top = tell(
    [],
    [
      { value: rest, at: [] },
      { value: { ...system, ...everywhere }, at: undefined },
    ],
  );
  const value = {
    ...mapping(top),
    repositories: eachOf(repositories, (name, one) =>
      tell(['repositories', name], [{ value: one, at: ['repositories', name] }, ...repositoryDefaults(one)]),
    ),
    backups: eachOf(backups, (name, one) =>
      tell(
        ['backups', name],
        [
          { value: withInlineDefaults(one), at: ['backups', name] },
          { value: mapping(defaults), at: ['defaults'] },
          { value: backupDefaults(one, mapping(defaults)), at: undefined },
        ],
      ),
    ),
  };
  return { value, effective };
}

function repositoryDefaults(repository: Mapping): readonly Layer[] {
  const own = byRepositoryType[String(repository['type'])] ?? {};
  return [{ value: { ...everyRepository, ...own }, at: undefined }];
}

/** A backup is watched only when something says so. */
function backupDefaults(backup: Mapping, defaults: Mapping): Mapping {
  const source = bySourceType[String(mapping(backup['source'])['type'])] ?? {};
  const watched = 'watch' in defaults || 'watch' in backup;
  return { ...everyBackup, source, ...(watched ? { watch: everyWatch } : {}) };
}

function withInlineDefaults(backup: Mapping): Mapping {
  const repositories = Array.isArray(backup['repositories']) ? (backup['repositories'] as readonly unknown[]) : [];
  return {
    ...backup,
    repositories: repositories.map((one) => {
      const entry = mapping(one);
      if (!('type' in entry)) return one;
      return merge([], [{ value: entry, at: undefined }, ...repositoryDefaults(entry)], undefined, []);
    }),
  };
}

/** Mappings merge key by key; of everything else the first layer that has it wins. */
function merge(
  path: Path,
  layers: readonly Layer[],
  source: ConfigSource | undefined,
  effective: EffectiveValue[],
): unknown {
  const [first] = layers;
  if (!first) return undefined;
  if (!isMapping(first.value)) {
    effective.push({ path: path.join('.'), value: show(path, first.value), from: origin(first.at, source) });
    return first.value;
  }
  const mappings = layers.flatMap((layer) => (isMapping(layer.value) ? [{ value: layer.value, at: layer.at }] : []));
  const keys = new Set(mappings.flatMap((layer) => Object.keys(layer.value)));
  const entries = [...keys].map((key): readonly [string, unknown] => {
    const below = mappings
      .filter((layer) => layer.value[key] !== undefined)
      .map((layer): Layer => ({ value: layer.value[key], at: layer.at && [...layer.at, key] }));
    return [key, merge([...path, key], below, source, effective)];
  });
  return Object.fromEntries(entries);
}

function origin(at: Path | undefined, source: ConfigSource | undefined): string {
  if (!at || !source) return 'default';
  const place = `${source.file}:${source.lineOf(at)}`;
  return at[0] === 'defaults' ? `defaults, ${place}` : place;
}

const secretPath = /(^|\.)(password|accessKey|secretKey)(\.|$)/;

function show(path: Path, value: unknown): string {
  const last = String(path.at(-1));
  if (secretPath.test(path.join('.')) && last !== 'file' && last !== 'credential') return '[secret]';
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (key, inner: unknown) => (secretPath.test(key) ? '[secret]' : inner));
}

function eachOf(value: unknown, each: (name: string, one: Mapping) => unknown): Mapping {
  return Object.fromEntries(Object.entries(mapping(value)).map(([name, one]) => [name, each(name, mapping(one))]));
}

function mapping(value: unknown): Mapping {
  return isMapping(value) ? value : {};
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
