import { repositoryId, runId, writerId, type RunId, type WriterId } from '../../src/core/ids.ts';
import { toHex } from '../../src/core/bytes.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom, type Random } from '../../src/core/random.ts';
import { loadZstd } from '../../src/engine/compression/zstd.ts';
import { loadBlake3 } from '../../src/engine/crypto/blake3.ts';
import { publicKeyOf } from '../../src/engine/crypto/ed25519.ts';
import { RepositoryKeys } from '../../src/engine/format/keys.ts';
import type { SnapshotRecord } from '../../src/engine/format/snapshot.ts';
import { noMemory } from '../../src/engine/repository/memory-of-heads.ts';
import { OpenRepository, type OpenParts } from '../../src/engine/repository/open-repository.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { FakeClock } from './fake-clock.ts';

await loadBlake3();
await loadZstd();

export const testKeys = RepositoryKeys.derive(repositoryId('ab'.repeat(16)), [new Uint8Array(32).fill(7)]);
export const ownerSeed = new Uint8Array(32).fill(9);
export const owner: WriterId = writerId(toHex(publicKeyOf(ownerSeed)));

export function newRun(random: Random = systemRandom): RunId {
  return runId(toHex(random.bytes(16)));
}

/** An opened repository over `storage` with fixed keys, without a key slot. */
export function openTestRepository(storage: Storage, parts: Partial<OpenParts> = {}): Promise<OpenRepository> {
  return OpenRepository.open({
    name: 'test',
    storage,
    keys: testKeys,
    owner,
    memory: noMemory,
    stateDirectory: undefined,
    cacheDirectory: undefined,
    locks: undefined,
    clock: new FakeClock(),
    random: systemRandom,
    logger: silentLogger,
    packBytes: 2 ** 20,
    compression: 'auto',
    ...parts,
  });
}

/** The smallest record there is: a PBS snapshot without files. */
export function testRecord(item: string, change: Partial<SnapshotRecord['source']> = {}): SnapshotRecord {
  return {
    format: 1,
    run: runId('cd'.repeat(16)),
    backup: 'datacenter',
    device: 'pbs1',
    group: '|vm/100',
    item,
    timeMs: 1000,
    startedMs: 2000,
    endedMs: 3000,
    source: {
      type: 'pbs',
      identity: new Uint8Array(16).fill(0xef),
      datastore: 'main',
      namespace: '',
      backupType: 'vm',
      backupId: '100',
      backupTime: 1,
      owner: 'root@pam',
      groupNotes: null,
      protected: false,
      files: [],
      holes: [],
      ...change,
    },
  };
}
