import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/core/bytes.ts';
import { Secret } from '../../../src/core/secret.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/engine/format/checkpoint.ts';
import { decodeEntry, encodeEntry } from '../../../src/engine/format/entry.ts';
import { encodeHint } from '../../../src/engine/format/hint.ts';
import { decodeIndexSegment, encodeIndexSegment } from '../../../src/engine/format/index-segment.ts';
import { createKeySlot } from '../../../src/engine/format/key-slot.ts';
import { encodeListNode } from '../../../src/engine/format/list.ts';
import { readPackDirectory } from '../../../src/engine/format/pack-directory.ts';
import { packName, segmentName } from '../../../src/engine/format/names.ts';
import { encodeRecoveryCode } from '../../../src/engine/format/recovery-code.ts';
import { createRootSlot } from '../../../src/engine/format/root-slot.ts';
import { encodeSnapshotRecord } from '../../../src/engine/format/snapshot.ts';
import { wrapRoot } from '../../../src/engine/format/wrapped-root.ts';
import { counting, fixedKeys, repository, seed, seededRandom, someDigest } from '../../engine/format/fixtures.ts';
import { bodies, record, samplePack, samplePacks, state } from '../../engine/format/samples.ts';

// `objects.json` pins every object kind, byte for byte: name, then content in hex. Whoever changes it changes the format.
// `NESTEGG_WRITE_GOLDEN=1` writes it anew.
const file = new URL('objects.json', import.meta.url);

interface Golden {
  readonly name: string;
  readonly hex: string;
}

const keys = fixedKeys();
const secrets = {
  root: counting(32, 0x80),
  owner: counting(32, 1),
  chunker: { id: counting(16), secret: counting(32, 5) },
  features: { read: [], write: [], maintain: [] },
};

async function makeAll(): Promise<Readonly<Record<string, Golden>>> {
  const all: Record<string, Golden> = {};
  const put = (what: string, object: { readonly name: string; readonly bytes: Uint8Array }): void => {
    all[what] = { name: object.name, hex: toHex(object.bytes) };
  };
  const random = seededRandom('golden');
  const slot = { repository, epoch: 1, password: new Secret('pässword'), random };
  const cost = { memoryKiB: 65_536, passes: 1, lanes: 1 };
  put('hint', { name: 'nestegg.json', bytes: encodeHint({ repository }) });
  put('password slot', await createKeySlot({ ...slot, cost, type: 'password', secrets }));
  put('owner slot', await createKeySlot({ ...slot, cost, type: 'owner', secrets: { ownerSeed: counting(32, 9) } }));
  put('root slot', createRootSlot({ repository, epoch: 1, root: secrets.root, content: withoutRoot(), random }));
  put('wrapped root', wrapRoot({ repository, epoch: 0, root: counting(32, 0x10), next: counting(32, 0x80), random }));
  const pack = samplePack(random);
  put('pack', { name: packName(pack.id), bytes: pack.bytes });
  const slabs = samplePack(random, 4096);
  put('pack in slabs', { name: packName(slabs.id), bytes: slabs.bytes });
  const segment = encodeIndexSegment(keys, samplePacks(), random);
  put('index segment', { name: segmentName(segment.id), bytes: segment.bytes });
  for (const body of Object.values(bodies)) {
    put(`entry ${body.kind}`, encodeEntry({ keys, seed, sequence: 1, previous: null, body, random }));
  }
  put('checkpoint', encodeCheckpoint({ keys, state, random }));
  put('snapshot record', { name: 'content', bytes: encodeSnapshotRecord(record) });
  const part = { digest: counting(32), length: 5 };
  put('data list', { name: 'content', bytes: encodeListNode({ kind: 'leaf', type: 'data', parts: [part] }) });
  put('fixed list', {
    name: 'content',
    bytes: encodeListNode({ kind: 'leaf', type: 'fixed', digests: [part.digest] }),
  });
  put('dynamic list', { name: 'content', bytes: encodeListNode({ kind: 'leaf', type: 'dynamic', parts: [part] }) });
  const children = [{ bytes: 2 ** 33, ref: { digest: someDigest(7), length: 9 } }];
  put('inner list', { name: 'content', bytes: encodeListNode({ kind: 'inner', type: 'fixed', level: 2, children }) });
  const code = encodeRecoveryCode({ repository, epoch: 1, root: secrets.root }).reveal();
  put('recovery code', { name: code, bytes: new Uint8Array(0) });
  return all;
}

function withoutRoot(): Omit<typeof secrets, 'root'> {
  const { owner, chunker, features } = secrets;
  return { owner, chunker, features };
}

let made: Readonly<Record<string, Golden>>;
let golden: Readonly<Record<string, Golden>>;

beforeAll(async () => {
  await loadBlake3();
  // One implementation of one version, because compressed bytes differ between versions of zstd.
  await loadZstd('wasm');
  made = await makeAll();
  if (process.env['NESTEGG_WRITE_GOLDEN'] === '1') await writeFile(file, `${JSON.stringify(made, undefined, 2)}\n`);
  golden = JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, Golden>>;
});

describe('golden objects', () => {
  it('are made byte for byte, all of them', () => {
    expect(made).toEqual(golden);
  });

  it('open to the samples', () => {
    const get = (what: string): { readonly name: string; readonly bytes: Uint8Array } => {
      const { name, hex } = golden[what] ?? { name: '', hex: '' };
      return { name, bytes: fromHex(hex) };
    };
    expect(readPackDirectory(keys, get('pack').bytes).entries).toHaveLength(3);
    expect(get('pack in slabs').bytes.byteLength).toBe(4096);
    expect(decodeIndexSegment(keys, get('index segment').bytes)).toEqual(samplePacks());
    expect(decodeCheckpoint(keys, get('checkpoint').name, get('checkpoint').bytes)).toEqual(state);
    for (const body of Object.values(bodies)) {
      const { name, bytes } = get(`entry ${body.kind}`);
      expect(decodeEntry(keys, name, bytes)).toMatchObject({ outcome: 'ok', body });
    }
  });
});
