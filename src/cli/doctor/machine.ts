/** What the machine offers: Node, disk, inotify, folders. */
import { constants } from 'node:fs';
import { access, readFile, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import type { Config, PbsSourceConfig } from '../../daemon/config/config.ts';
import { bad, well, type Finding } from './finding.ts';

const leastFreeBytes = 2 ** 30;
const leastNode = [20, 20] as const;

export function node(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  const threshold = `at least ${leastNode.join('.')}`;
  return enough ? well('Node', version, threshold) : bad('Node', version, 'Install a newer Node.', threshold);
}

export async function stateFolder(path: string): Promise<readonly Finding[]> {
  const what = 'state directory';
  try {
    const { mode } = await stat(path);
    await access(path, constants.R_OK | constants.W_OK);
    const open = (mode & 0o077) !== 0;
    const rights = (mode & 0o777).toString(8);
    const { bavail, bsize } = await statfs(path);
    const free = bavail * bsize;
    const threshold = `${formatSize(leastFreeBytes)} free`;
    return [
      open ? bad(what, `${path}, mode ${rights}`, `chmod 700 ${path}`, 'mode 700') : well(what, path, 'mode 700'),
      free < leastFreeBytes
        ? bad('state disk', formatSize(free), 'Free some space: the queue and the caches need it.', threshold)
        : well('state disk', `${formatSize(free)} free`, threshold),
    ];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [well(what, `${path} is not there yet; the daemon makes it`)];
    return [bad(what, messageOf(error), 'The user of the daemon must own it.')];
  }
}

export async function datastore(source: PbsSourceConfig): Promise<Finding> {
  const what = `datastore ${source.datastore}`;
  try {
    await access(join(source.datastore, '.chunks'), constants.R_OK | constants.X_OK);
    const names = await readdir(source.datastore);
    return well(what, `readable, ${String(names.filter((name) => !name.startsWith('.')).length)} entries`, 'readable');
  } catch (error) {
    return bad(what, messageOf(error), 'Run as `backup` or root, and check the path.', 'readable');
  }
}

/** Watching needs one inotify watch for each folder of groups; `.chunks` is never watched. */
export async function watches(config: Config): Promise<Finding> {
  const what = 'inotify watches';
  const watched = Object.values(config.backups).filter(({ watch }) => watch !== undefined);
  try {
    const most = Number(await readFile('/proc/sys/fs/inotify/max_user_watches', 'utf8'));
    let needed = 0;
    for (const { source } of watched) needed += await countFolders(source.datastore, source.namespaces.depth);
    const measured = `${String(needed)} needed`;
    const threshold = `${String(most)} allowed`;
    if (needed * 2 <= most) return well(what, measured, threshold);
    return bad(what, measured, `sysctl fs.inotify.max_user_watches=${String(needed * 4)}`, threshold);
  } catch (error) {
    return bad(what, messageOf(error), 'The periodic scan finds new snapshots all the same.');
  }
}

/** Folders of types, groups and namespaces; not those of snapshots. */
async function countFolders(path: string, depth: number): Promise<number> {
  let count = 1;
  for (const type of ['vm', 'ct', 'host']) {
    const groups = await foldersIn(join(path, type));
    count += groups.length === 0 ? 0 : groups.length + 1;
  }
  if (depth <= 0) return count;
  for (const name of await foldersIn(join(path, 'ns'))) count += await countFolders(join(path, 'ns', name), depth - 1);
  return count;
}

async function foldersIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
