import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.ts';
import { withConcurrency } from '../../../src/engine/storage/concurrency.ts';
import { withFaults } from '../../../src/engine/storage/faulty.ts';
import { systemFileCalls, type FileCalls } from '../../../src/engine/storage/filesystem/file-calls.ts';
import { openFilesystemStorage } from '../../../src/engine/storage/filesystem.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { Meter, withMeter } from '../../../src/engine/storage/meter.ts';
import { withRetry } from '../../../src/engine/storage/retry.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { withThrottle } from '../../../src/engine/storage/throttle.ts';
import { TokenBucket } from '../../../src/engine/storage/token-bucket.ts';
import { storageContract, type StorageUnderTest } from '../../contracts/storage-contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function stacked(storage: Storage): Storage {
  const rate = 200 * 2 ** 20;
  const buckets = { upload: new TokenBucket(rate), download: new TokenBucket(undefined) };
  const metered = withMeter(withFaults(storage), new Meter());
  const limited = withConcurrency(metered, { logger: silentLogger, start: 2, max: 4 });
  return withRetry(withThrottle(limited, buckets), { logger: silentLogger });
}

async function inFolder(
  files: Partial<FileCalls> = {},
  wrap = (storage: Storage) => storage,
): Promise<StorageUnderTest> {
  const folder = await temporaryFolder();
  const calls = { ...systemFileCalls, ...files };
  const storage = await openFilesystemStorage(join(folder.path, 'store'), { access: 'create', files: calls });
  return { storage: wrap(storage), dispose: () => folder.remove() };
}

const noLinks = (): Promise<void> => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' }));
const nfs = (): Promise<number> => Promise.resolve(0x6969);

storageContract('memory', async () => ({ storage: memoryStorage() }));

storageContract('memory that lists late', async () => {
  const clock = new FakeClock();
  const storage = memoryStorage({ clock, listDelayMs: () => 5000, capabilities: { visibilityBoundMs: 5000 } });
  return { storage, settle: () => clock.advance(5000) };
});

storageContract('filesystem', () => inFolder());
storageContract('filesystem on a network mount', () => inFolder({ filesystemType: nfs }));
storageContract('filesystem without hard links', () => inFolder({ link: noLinks }));
storageContract('faulty without faults', async () => ({ storage: withFaults(memoryStorage()) }));

storageContract('faulty that refuses deletion and overwriting', async () => ({
  storage: withFaults(memoryStorage(), { refuseDelete: true, refuseOverwrite: true }),
}));

storageContract('all decorators over memory', async () => ({ storage: stacked(memoryStorage()) }));
storageContract('all decorators over a filesystem', () => inFolder({}, stacked));
