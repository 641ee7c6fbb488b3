/**
 * # Made-up datastores, written by the project's own writer
 *
 * For tests, demo and measurements. A plan and its seed decide every byte but the times at which files were written, so
 * that two runs give equal trees. `generateDatastore` makes all snapshots of a plan; `addSnapshot` one more.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8 } from '../../../src/core/bytes.ts';
import { createOsLocks } from '../../../src/core/os-lock-helper.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { encodeBlob } from '../../../src/engine/pbs/data-blob.ts';
import { createDatastore } from '../../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { SnapshotPublisher } from '../../../src/engine/pbs/datastore-writer/snapshot-publisher.ts';
import { openDatastore, type Datastore } from '../../../src/engine/pbs/datastore.ts';
import { DynamicIndex } from '../../../src/engine/pbs/dynamic-index.ts';
import { FixedIndex } from '../../../src/engine/pbs/fixed-index.ts';
import { formatFingerprint } from '../../../src/engine/pbs/keys.ts';
import {
  archiveKind,
  clientLogFile,
  manifestFile,
  snapshotFolder,
  type SnapshotName,
} from '../../../src/engine/pbs/layout.ts';
import { encodeManifest } from '../../../src/engine/pbs/manifest.ts';
import { DatastoreLocks } from '../../../src/engine/pbs/snapshot-lock.ts';
import { writeDisk, writeStream } from './archives.ts';
import type { DatastorePlan, MachinePlan } from './plan.ts';
import { SeededRandom } from './seeded.ts';

export interface GeneratedSnapshot {
  readonly name: SnapshotName;
  /** Relative to the datastore. */
  readonly folder: string;
  /** All files of the folder, sorted. */
  readonly files: readonly string[];
  /** Bytes of images and streams. */
  readonly sizeBytes: number;
  readonly chunks: number;
}

export interface GeneratedDatastore {
  readonly path: string;
  readonly plan: DatastorePlan;
  readonly snapshots: readonly GeneratedSnapshot[];
}

export interface GenerateOptions {
  /** As PBS makes them, or (default) only those that are needed, which is much faster. */
  readonly chunkFolders?: 'all' | 'none';
}

const defaultFirstSeconds = Date.UTC(2024, 5, 1) / 1000;

/** Makes a datastore in `path`, which must be missing or empty. */
export async function generateDatastore(
  path: string,
  plan: DatastorePlan,
  options: GenerateOptions = {},
): Promise<GeneratedDatastore> {
  await loadZstd();
  await createDatastore(path, { chunkFolders: options.chunkFolders ?? 'none' });
  const snapshots: GeneratedSnapshot[] = [];
  for (const machine of plan.machines) {
    for (let number = 0; number < machine.snapshots; number++)
      snapshots.push(await addSnapshot(path, plan.seed, machine, number));
  }
  return { path, plan, snapshots };
}

/** Adds snapshot `number` (from 0) of a machine to a datastore. */
export async function addSnapshot(
  path: string,
  seed: string,
  machine: MachinePlan,
  number: number,
): Promise<GeneratedSnapshot> {
  await loadZstd();
  const name = snapshotOf(machine, number);
  const datastore = await openDatastore(path);
  const label = `${seed}|${machine.namespace ?? ''}|${machine.type}/${machine.id}`;
  const archives = await makeArchives(datastore, machine, label, name, number);
  const publisher = await begin(datastore, machine, name, `${label}|${String(number)}`);
  for (const [file, bytes] of archives) {
    await (archiveKind(file) === 'blob' ? publisher.writeBlob(file, bytes) : publisher.writeIndex(file, bytes));
  }
  if (machine.protectedSnapshots?.includes(number)) await publisher.protect();
  await publisher.publish(makeManifest(machine, name, number, archives));
  return summary(name, archives, machine.protectedSnapshots?.includes(number) === true);
}

export function snapshotOf(machine: MachinePlan, number: number): SnapshotName {
  const first = machine.firstSeconds ?? defaultFirstSeconds;
  const timeSeconds = first + number * (machine.everySeconds ?? 86_400);
  return { namespace: machine.namespace ?? '', type: machine.type, id: machine.id, timeSeconds };
}

async function begin(
  datastore: Datastore,
  machine: MachinePlan,
  snapshot: SnapshotName,
  seed: string,
): Promise<SnapshotPublisher> {
  const os = createOsLocks();
  return SnapshotPublisher.begin({
    datastore,
    snapshot,
    // No PBS works on a made-up datastore, whatever runs on this host; so no helper is ever started either.
    locks: new DatastoreLocks({ os, datastore, runDirectory: '/nonexistent' }),
    random: new SeededRandom(`${seed}|temporary names`),
    owner: `${machine.owner ?? 'root@pam'}\n`,
    groupNotes: machine.notes,
  });
}

type Archives = ReadonlyMap<string, Uint8Array>;

async function makeArchives(
  datastore: Datastore,
  machine: MachinePlan,
  label: string,
  name: SnapshotName,
  number: number,
): Promise<Archives> {
  const files = new Map<string, Uint8Array>();
  const context = (file: string) => ({
    path: datastore.path,
    seed: `${label}|${file}`,
    key: machine.key,
    createdSeconds: name.timeSeconds + 1,
  });
  const secret = (file: string, text: string): void => {
    const iv = new SeededRandom(`${label}|${file}|${String(number)}`).bytes(16);
    files.set(file, encodeBlob(utf8(text), { level: 1, encryption: machine.key && { key: machine.key, iv } }));
  };
  if (machine.type === 'vm') {
    for (const disk of machine.disks) {
      const file = `${disk.name}.img.fidx`;
      files.set(file, writeDisk(context(file), disk, number, await previousDisk(datastore, machine, file, number)));
    }
    secret('qemu-server.conf.blob', `boot: order=scsi0\ncores: 2\nmemory: 2048\nname: vm${machine.id}\n`);
  } else {
    const average = machine.averageChunkBytes ?? 1024 * 1024;
    const archive = context('root.pxar.didx');
    files.set('root.pxar.didx', writeStream(archive, machine.archiveBytes, average, machine.changed, number));
    const catalog = context('catalog.pcat1.didx');
    files.set('catalog.pcat1.didx', writeStream(catalog, 40_000, 512 * 1024, 1, number));
    if (machine.type === 'ct') secret('pct.conf.blob', `arch: amd64\nhostname: ct${machine.id}\n`);
  }
  if (machine.clientLog === true) secret(clientLogFile, `INFO: backup of ${machine.type}/${machine.id}\n`);
  return files;
}

async function previousDisk(
  datastore: Datastore,
  machine: MachinePlan,
  file: string,
  number: number,
): Promise<FixedIndex | undefined> {
  if (number === 0) return undefined;
  const path = join(datastore.path, snapshotFolder(snapshotOf(machine, number - 1)), file);
  return new FixedIndex(await readFile(path));
}

function makeManifest(machine: MachinePlan, name: SnapshotName, number: number, archives: Archives): Uint8Array {
  const listed = [...archives].filter(([file]) => file !== clientLogFile);
  const json = {
    'backup-type': name.type,
    'backup-id': name.id,
    'backup-time': name.timeSeconds,
    files: listed.map(([file, bytes]) => ({
      filename: file,
      'crypt-mode': machine.key ? 'encrypt' : 'none',
      ...measured(file, bytes),
    })),
    unprotected: {
      notes: `snapshot ${String(number)} of ${machine.type}/${machine.id}`,
      ...(machine.key ? { 'key-fingerprint': formatFingerprint(machine.key.fingerprint) } : {}),
    },
  };
  return encodeBlob(encodeManifest(json, machine.key), { level: 1 });
}

function measured(file: string, bytes: Uint8Array): { readonly size: number; readonly csum: string } {
  const kind = archiveKind(file);
  if (kind === 'blob') return { size: bytes.byteLength, csum: createHash('sha256').update(bytes).digest('hex') };
  const index = kind === 'fixed' ? new FixedIndex(bytes) : new DynamicIndex(bytes);
  return { size: index.size, csum: toHex(index.checksum) };
}

function summary(name: SnapshotName, archives: Archives, isProtected: boolean): GeneratedSnapshot {
  let sizeBytes = 0;
  let chunks = 0;
  for (const [file, bytes] of archives) {
    const kind = archiveKind(file);
    if (kind === 'blob') continue;
    const index = kind === 'fixed' ? new FixedIndex(bytes) : new DynamicIndex(bytes);
    sizeBytes += index.size;
    chunks += index.count;
  }
  const files = [...archives.keys(), manifestFile, ...(isProtected ? ['.protected'] : [])].sort();
  return { name, folder: snapshotFolder(name), files, sizeBytes, chunks };
}
