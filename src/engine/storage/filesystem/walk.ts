import { join } from 'node:path';
import { systemCode } from '../../../core/errors.ts';
import { checkSignal } from '../calls.ts';
import type { ListOptions, ObjectInfo } from '../storage.ts';
import type { FileCalls } from './file-calls.ts';
import { parentOf } from './folders.ts';

/** Files looked at together. */
const batch = 32;
const segment = /^[a-z0-9._-]+$/;

export interface WalkOptions extends ListOptions {
  readonly files: FileCalls;
  readonly root: string;
}

/**
 * Every object below the root whose name starts with `prefix`, a folder at a time; never more than one folder is open,
 * and only the names of folders are kept. What vanishes meanwhile is left out. Links and foreign names are passed over.
 * @throws Node system errors, CancelledError.
 */
export async function* walk(prefix: string, options: WalkOptions): AsyncGenerator<ObjectInfo> {
  const waiting = [parentOf(prefix)];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const inside: string[] = [];
    for await (const entry of entries(folder, options)) {
      if (entry.folder) {
        if (mayHold(`${entry.name}/`, prefix, options.startAfter ?? '')) waiting.push(entry.name);
      } else if (entry.name.startsWith(prefix) && entry.name > (options.startAfter ?? '')) {
        inside.push(entry.name);
        if (inside.length >= batch) yield* described(inside.splice(0), options);
      }
    }
    yield* described(inside, options);
  }
}

/** The folders right below `folder` that hold an object somewhere. */
export async function filledFolders(folder: string, options: WalkOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of entries(folder, options)) {
    if (entry.folder && (await filled(entry.name, options)))
      found.push(entry.name.slice(entry.name.lastIndexOf('/') + 1));
  }
  return found;
}

async function filled(folder: string, options: WalkOptions): Promise<boolean> {
  const below: string[] = [];
  for await (const entry of entries(folder, options)) {
    if (!entry.folder) return true;
    below.push(entry.name);
  }
  for (const each of below) if (await filled(each, options)) return true;
  return false;
}

interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

async function* entries(folder: string, { files, root, signal }: WalkOptions): AsyncGenerator<Entry> {
  checkSignal(signal);
  const open = await files.opendir(join(root, folder)).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!open) return;
  for await (const entry of open) {
    checkSignal(signal);
    if (!segment.test(entry.name)) continue;
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield { name, folder: true };
    else if (entry.isFile()) yield { name, folder: false };
  }
}

/** Whether names below `folder` (with its slash) can start with `prefix` and come after `after`. */
function mayHold(folder: string, prefix: string, after: string): boolean {
  return (folder.startsWith(prefix) || prefix.startsWith(folder)) && (folder > after || after.startsWith(folder));
}

async function* described(names: readonly string[], { files, root, signal }: WalkOptions): AsyncGenerator<ObjectInfo> {
  const infos = await Promise.all(names.map((name) => describe(files, root, name)));
  for (const info of infos) {
    checkSignal(signal);
    if (info) yield info;
  }
}

async function describe(files: FileCalls, root: string, name: string): Promise<ObjectInfo | undefined> {
  try {
    const found = await files.lstat(join(root, name));
    return found.isFile() ? { name, sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) } : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
