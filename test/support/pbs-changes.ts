/** What PBS, its users and broken disks do to snapshots of a made-up datastore. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBlob } from '../../src/engine/pbs/data-blob.ts';
import { FixedIndex } from '../../src/engine/pbs/fixed-index.ts';
import { decodeManifest, encodeManifest } from '../../src/engine/pbs/manifest.ts';

export async function readFixedIndex(path: string): Promise<FixedIndex> {
  return new FixedIndex(await readFile(path));
}

/** The header of an index is covered by no checksum; its digests are. */
export async function flipDigest(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(4100) ^ 1, 4100);
  await writeFile(path, bytes);
}

/** The same data once more under another time. */
export async function copySnapshot(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  const path = join(to, 'index.json.blob');
  const manifest = decodeManifest(await readFile(path));
  const time = Date.parse(to.slice(to.lastIndexOf('/') + 1)) / 1000;
  await writeFile(path, encodeBlob(encodeManifest({ ...manifest.json, 'backup-time': time }), { level: 1 }));
}

export async function changeManifest(
  snapshot: string,
  change: (json: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const path = join(snapshot, 'index.json.blob');
  const { json } = decodeManifest(await readFile(path));
  await writeFile(path, encodeBlob(encodeManifest(change(json)), { level: 1 }));
}
