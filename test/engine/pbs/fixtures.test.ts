/** Files written by Proxmox's own encoders, found where NESTEGG_PBS_FIXTURES points; not part of the project. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/bytes.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { checkChunk } from '../../../src/engine/pbs/chunk-reader.ts';
import { decodeBlob, readBlobHeader } from '../../../src/engine/pbs/data-blob.ts';
import { DynamicIndex, joinDynamicIndex } from '../../../src/engine/pbs/dynamic-index.ts';
import { chunkDigest, EncryptionKey } from '../../../src/engine/pbs/keys.ts';

const folder = process.env['NESTEGG_PBS_FIXTURES'];
const key = new EncryptionKey(Uint8Array.from({ length: 32 }, (_, at) => at));

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder ?? '', name)));
}

describe.skipIf(folder === undefined || !existsSync(folder))('files of Proxmox', () => {
  beforeAll(() => loadZstd());

  it.each([
    ['plain.blob', 'plain'],
    ['zstd.blob', 'zstd'],
    ['enc.blob', 'encrypted'],
    ['enczstd.blob', 'zstd-encrypted'],
  ])('%s is a %s blob of the greeting', (name, encoding) => {
    const blob = fixture(name);
    expect(readBlobHeader(blob).encoding).toBe(encoding);
    expect(Buffer.from(decodeBlob(blob, { maxLength: 47, key })).toString()).toBe('Hello, PBS! '.repeat(4).trimEnd());
  });

  it('zero4m.blob is a chunk of 4 MiB of zeros', () => {
    const digest = chunkDigest(new Uint8Array(4 * 1024 * 1024));
    const reading = checkChunk('zero4m.blob', fixture('zero4m.blob'), {
      digest,
      length: 4 * 1024 * 1024,
      cryptMode: 'none',
      verify: 'digest',
    });
    expect(reading).toMatchObject({ outcome: 'read', assurance: 'plain' });
    expect(reading.outcome === 'read' && reading.blob.byteLength).toBe(159);
  });

  it('the payload index of a split archive describes exactly the payload that is known', () => {
    const file = fixture('backup-client-pxar-data.ppxar.didx');
    const index = new DynamicIndex(file);
    expect(index).toMatchObject({ count: 100, size: 104_859_232 });
    expect(toHex(index.checksum)).toBe('e13b71c181693fb7d7b46e2f34aadee48337c6828674820e0924ef940a2cbd20');
    expect(Buffer.from(index.header).readBigInt64LE(24)).toBe(1_715_091_951n);

    const lengths = Array.from({ length: index.count }, (_, at) => index.lengthAt(at));
    expect(Buffer.from(joinDynamicIndex(index.header, lengths, index.digests)).equals(file)).toBe(true);

    const marker = Buffer.from('d24e4a19c2684c831000000000000000', 'hex');
    const header = Buffer.from('251a7c0b1b7a14281000100000000000', 'hex');
    const tail = Buffer.from('b5814c988bb7726c1000000000000000', 'hex');
    const megabyte = Buffer.alloc(1024 * 1024);
    const digests = [
      [marker, header, megabyte],
      [header, megabyte],
      [header, megabyte, tail],
    ].map((parts) => toHex(chunkDigest(Buffer.concat(parts))));
    const found = Array.from({ length: index.count }, (_, at) => toHex(index.digestAt(at)));
    expect(found).toEqual([digests[0], ...new Array<string | undefined>(98).fill(digests[1]), digests[2]]);
  });
});
