import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError, UsageError, type NesteggError } from '../../../src/core/errors.ts';
import { Secret } from '../../../src/core/secret.ts';
import { KeyedBlake3, loadBlake3, blake3 } from '../../../src/engine/crypto/blake3.ts';
import { hkdfSha256 } from '../../../src/engine/crypto/hkdf.ts';
import { open, seal } from '../../../src/engine/crypto/sealed-box.ts';
import { decodeHint, encodeHint } from '../../../src/engine/format/hint.ts';
import { createKeySlot, decodeKeySlot, isSlotOf, openKeySlot } from '../../../src/engine/format/key-slot.ts';
import { RepositoryKeys } from '../../../src/engine/format/keys.ts';
import { pbsChunkDigest, pbsChunkDigests } from '../../../src/engine/format/pbs-chunk-id.ts';
import { decodeRecoveryCode, encodeRecoveryCode } from '../../../src/engine/format/recovery-code.ts';
import { createRootSlot, openRootSlot } from '../../../src/engine/format/root-slot.ts';
import { unwrapRoot, wrapRoot } from '../../../src/engine/format/wrapped-root.ts';
import { bitFlips, counting, fixedKeys, repository, seededRandom, someDigest } from './fixtures.ts';

beforeAll(async () => {
  await loadBlake3();
});

describe('RepositoryKeys', () => {
  it('makes blob ids as the format page says, from epoch 0 for ever', () => {
    const key = hkdfSha256(counting(32, 0x10), fromHex(repository), utf8('nestegg 1 blob id'), 32);
    const identity = concatBytes(Uint8Array.of(5, 0x44, 0x33, 0x22, 0x11), someDigest(3));
    const id = fixedKeys().blobId('pbs-chunk', { digest: someDigest(3), length: 0x11223344 });
    expect(toHex(id)).toBe(toHex(new KeyedBlake3(key).digest(identity)));
  });

  it('has other sealing keys for every purpose and epoch, and none of a later epoch', () => {
    const keys = fixedKeys();
    expect(keys.newestEpoch).toBe(1);
    const salt = counting(32);
    const box = seal(keys.sealingKey('index', 1), utf8('ad'), utf8('x'), salt);
    expect(toHex(open(keys.sealingKey('index', 1), utf8('ad'), box))).toBe('78');
    expect(() => open(keys.sealingKey('index', 0), utf8('ad'), box)).toThrow(CorruptionError);
    expect(() => open(keys.sealingKey('entry', 1), utf8('ad'), box)).toThrow(CorruptionError);
    expect(() => keys.sealingKey('index', 2)).toThrow(expect.objectContaining({ code: 'repository.foreign' }) as Error);
  });

  it('survives the way to a worker thread', () => {
    const keys = fixedKeys();
    const copy = RepositoryKeys.import(structuredClone(keys.export()));
    const ref = { digest: someDigest(0), length: 1 };
    expect(toHex(copy.blobId('data', ref))).toBe(toHex(keys.blobId('data', ref)));
    expect(copy.newestEpoch).toBe(1);
    expect(toHex(copy.newestRoot())).toBe(toHex(counting(32, 0x80)));
    expect(() => RepositoryKeys.derive(repository, [])).toThrow(RangeError);
    expect(() => RepositoryKeys.derive(repository, [counting(31)])).toThrow(RangeError);
  });
});

describe('PBS chunk ids', () => {
  it('cover assurance, digest and extra', () => {
    const plain = pbsChunkDigest('plain', counting(32), new Uint8Array(0));
    expect(toHex(plain)).toBe(toHex(blake3(utf8('nestegg pbs-chunk'), Uint8Array.of(1), counting(32))));
    const keyed = pbsChunkDigest('keyed', counting(32), counting(32, 7));
    expect(toHex(keyed)).toBe(
      toHex(blake3(utf8('nestegg pbs-chunk'), Uint8Array.of(2), counting(32), counting(32, 7))),
    );
    const many = pbsChunkDigests('unverified', counting(16));
    const first = many(counting(32, 1));
    const before = toHex(first);
    many(counting(32, 2));
    expect(toHex(first)).toBe(before);
    expect(before).toBe(toHex(blake3(utf8('nestegg pbs-chunk'), Uint8Array.of(3), counting(32, 1), counting(16))));
    expect(() => pbsChunkDigest('keyed', counting(32), counting(16))).toThrow(RangeError);
    expect(() => pbsChunkDigest('plain', counting(31), new Uint8Array(0))).toThrow(RangeError);
  });
});

describe('wrapped roots', () => {
  it('open under the next root only, and with no bit changed', () => {
    const [root, next] = [counting(32, 0x10), counting(32, 0x80)];
    const { name, bytes } = wrapRoot({ repository, epoch: 0, root, next, random: seededRandom('wrap') });
    expect(name).toMatch(/^keys\/epoch-00000000\.[0-9a-f]{64}$/);
    expect(toHex(unwrapRoot({ repository, epoch: 0, next, bytes }))).toBe(toHex(root));
    expect(() => unwrapRoot({ repository, epoch: 1, next, bytes })).toThrow(CorruptionError);
    expect(() => unwrapRoot({ repository, epoch: 0, next: root, bytes })).toThrow(CorruptionError);
    for (const [, flipped] of bitFlips(bytes)) {
      expect(() => unwrapRoot({ repository, epoch: 0, next, bytes: flipped })).toThrow(CorruptionError);
    }
  });
});

describe('key slots', () => {
  const cost = { memoryKiB: 65_536, passes: 1, lanes: 1 };
  const secrets = {
    root: counting(32, 0x80),
    owner: counting(32, 1),
    chunker: { id: counting(16), secret: counting(32, 5) },
    features: { read: [], write: ['w'], maintain: [] },
  };
  const password = new Secret('correct horse');
  const random = seededRandom('slot');

  it('give the secrets for the password, and nothing for another or a changed slot', async () => {
    const made = await createKeySlot({ type: 'password', repository, epoch: 1, password, cost, secrets, random });
    const slot = decodeKeySlot(made.name, made.bytes);
    if (slot === undefined || !isSlotOf(slot, 'password')) throw new Error('not a password slot');
    expect(await openKeySlot(slot, password)).toEqual(secrets);
    const wrong = expect.objectContaining({ code: 'repository.password' }) as Error;
    await expect(openKeySlot(slot, new Secret('wrong horse'))).rejects.toThrow(wrong);
    await expect(openKeySlot({ ...slot, epoch: 2 }, password)).rejects.toThrow(CorruptionError);
    await expect(openKeySlot({ ...slot, id: counting(16) }, password)).rejects.toThrow(CorruptionError);
    const box = slot.box.slice().reverse();
    await expect(openKeySlot({ ...slot, box }, password)).rejects.toThrow(CorruptionError);
  });

  it('keep the owner seed under a kind of their own', async () => {
    const owner = { ownerSeed: counting(32, 9) };
    const made = await createKeySlot({ type: 'owner', repository, epoch: 0, password, cost, secrets: owner, random });
    const slot = decodeKeySlot(made.name, made.bytes);
    if (slot === undefined || !isSlotOf(slot, 'owner')) throw new Error('not an owner slot');
    expect(await openKeySlot(slot, password)).toEqual(owner);
    await expect(openKeySlot({ ...slot, type: 'password' }, password)).rejects.toThrow(CorruptionError);
  });

  it('are checked before they are tried', async () => {
    const made = await createKeySlot({ type: 'password', repository, epoch: 0, password, cost, secrets, random });
    const json = Buffer.from(made.bytes).toString();
    const changed = (from: string | RegExp, to: string): Uint8Array => {
      expect(json).toMatch(from);
      return utf8(json.replace(from, to));
    };
    for (const bytes of [
      changed('"memoryKiB":65536', '"memoryKiB":1073741824'),
      changed('"memoryKiB":65536', '"memoryKiB":1024'),
      changed('"lanes":1', '"lanes":1.5'),
      changed('"epoch":0', '"epoch":0,"extra":1'),
      changed(/"salt":"../, '"salt":"'),
      utf8(json.slice(0, -1)),
      utf8(`${json}${' '.repeat(70_000)}`),
    ]) {
      expect(() => decodeKeySlot(made.name, bytes)).toThrow(CorruptionError);
    }
    expect(() => decodeKeySlot(`keys/${'0'.repeat(32)}`, made.bytes)).toThrow(CorruptionError);
    expect(decodeKeySlot(made.name, changed('"type":"password"', '"type":"x25519"'))).toBeUndefined();
    expect(decodeKeySlot(made.name, changed('"format":1', '"format":2'))).toBeUndefined();
  });
});

describe('root slots', () => {
  const content = {
    owner: counting(32, 1),
    chunker: { id: counting(16), secret: counting(32, 5) },
    features: { read: ['r'], write: [], maintain: [] },
  };
  const input = { repository, epoch: 1, root: counting(32, 0x80) };

  it('open with the root of their epoch, and with nothing else', () => {
    const { name, bytes } = createRootSlot({ ...input, content, random: seededRandom('root slot') });
    expect(openRootSlot({ ...input, name, bytes })).toEqual(content);
    expect(() => openRootSlot({ ...input, root: counting(32), name, bytes })).toThrow(CorruptionError);
    expect(() => openRootSlot({ ...input, epoch: 0, name, bytes })).toThrow(CorruptionError);
    expect(() => openRootSlot({ ...input, name: `keys/${'0'.repeat(32)}`, bytes })).toThrow(CorruptionError);
    for (const [, flipped] of bitFlips(bytes, 3)) {
      expect(() => openRootSlot({ ...input, name, bytes: flipped })).toThrow(CorruptionError);
    }
    expect(decodeKeySlot(name, bytes)).toBeUndefined();
  });
});

describe('recovery code', () => {
  const recovery = { repository, epoch: 3, root: counting(32, 0xc0) };
  const code = encodeRecoveryCode(recovery).reveal();

  it('has 22 groups of 4 and comes back however it is typed', () => {
    expect(code).toMatch(/^([A-Z2-7]{4}-){21}[A-Z2-7]{4}$/);
    const typed = [code, code.toLowerCase(), code.replaceAll('-', ' '), code.replaceAll('-', '\n '), ` ${code}\t`];
    for (const text of [...typed, code.replaceAll('-', ''), code.replaceAll('-', ' – ')]) {
      expect(decodeRecoveryCode(new Secret(text))).toEqual(recovery);
    }
  });

  it('says what is wrong', () => {
    const messageOf = (text: string): string => {
      try {
        decodeRecoveryCode(new Secret(text));
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect((error as NesteggError).code).toBe('repository.password');
        return (error as Error).message;
      }
      throw new Error('accepted');
    };
    expect(messageOf(`${code.slice(0, 6)}0${code.slice(7)}`)).toContain('group 2, place 2 has "0"; is it O?');
    expect(messageOf(code.slice(0, -1))).toContain('87 letters and digits instead of 88');
    for (let at = 0; at < code.length; at++) {
      if (code[at] === '-') continue;
      const other = code[at] === 'A' ? 'B' : 'A';
      expect(messageOf(code.slice(0, at) + other + code.slice(at + 1))).toContain('checksum');
    }
  });
});

describe('nestegg.json', () => {
  it('is exactly what the format page shows', () => {
    const bytes = encodeHint({ repository });
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({ magic: 'nestegg', format: 1, repository });
    expect(decodeHint(bytes)).toEqual({ repository });
    for (const text of ['', '{}', '[]', 'null', `{"magic":"nestegg","format":2,"repository":"${repository}"}`]) {
      expect(() => decodeHint(utf8(text))).toThrow(CorruptionError);
    }
  });
});
