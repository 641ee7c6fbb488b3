/**
 * `/etc/proxmox-backup/datastore.cfg`: the name, the backend and the maintenance mode of the datastores of this host.
 * Sections begin with `datastore: <name>`; their lines are indented `key value` pairs.
 */
import { readFile, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isSafeId } from './layout.ts';

export const datastoreConfigFile = '/etc/proxmox-backup/datastore.cfg';

export type MaintenanceMode = 'read-only' | 'offline' | 'delete' | 'unmount' | 's3-refresh';

export interface DatastoreEntry {
  readonly name: string;
  /** Where the datastore is in the file system; of a removable one where PBS mounts it. */
  readonly path: string;
  readonly backend: 'filesystem' | 's3';
  readonly maintenance: MaintenanceMode | undefined;
}

const modes: readonly string[] = ['read-only', 'offline', 'delete', 'unmount', 's3-refresh'];

/** Datastores of a configuration text; sections of other types and unknown keys are passed over. */
export function parseDatastoreConfig(text: string): DatastoreEntry[] {
  const entries: DatastoreEntry[] = [];
  let section: { name: string; keys: Map<string, string> } | undefined;
  const finish = (): void => {
    if (section) entries.push(toEntry(section.name, section.keys));
    section = undefined;
  };
  for (const line of text.split('\n')) {
    const property = /^\s+(\S+)\s+(.*?)\s*$/.exec(line);
    if (property) {
      section?.keys.set(property[1] ?? '', property[2] ?? '');
      continue;
    }
    if (line.trim() === '' || line.startsWith('#')) continue;
    finish();
    const name = /^datastore:\s*(\S+)\s*$/.exec(line)?.[1];
    if (name !== undefined && isSafeId(name)) section = { name, keys: new Map() };
  }
  finish();
  return entries;
}

/** The entry of the datastore at `path`; undefined where the file cannot be read (another host, no PBS) or does not name it. */
export async function findDatastore(path: string, configFile: string): Promise<DatastoreEntry | undefined> {
  const text = await readFile(configFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const wanted = await canonical(path);
  for (const entry of parseDatastoreConfig(text)) {
    if ((await canonical(entry.path)) === wanted) return entry;
  }
  return undefined;
}

function toEntry(name: string, keys: ReadonlyMap<string, string>): DatastoreEntry {
  const path = keys.has('backing-device') ? `/mnt/datastore/${name}` : (keys.get('path') ?? '');
  const mode = propertyString(keys.get('maintenance-mode') ?? '', 'type');
  return {
    name,
    path,
    backend: propertyString(keys.get('backend') ?? '', 'type') === 's3' ? 's3' : 'filesystem',
    maintenance: isMode(mode) ? mode : undefined,
  };
}

/** A value of `key=value,…`; the default key may be left out: `offline,message=…` for `type=offline,message=…`. */
function propertyString(text: string, key: string): string | undefined {
  const [first = '', ...rest] = text.split(',');
  for (const part of first.includes('=') ? [first, ...rest] : [`${key}=${first}`, ...rest]) {
    const [name, ...value] = part.split('=');
    if (name === key) return value.join('=');
  }
  return undefined;
}

function isMode(text: string | undefined): text is MaintenanceMode {
  return text !== undefined && modes.includes(text);
}

async function canonical(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
