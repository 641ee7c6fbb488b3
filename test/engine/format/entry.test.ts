import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/core/bytes.ts';
import { entryId, segmentId, writerId } from '../../../src/core/ids.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { publicKeyOf, sign } from '../../../src/engine/crypto/ed25519.ts';
import { seal } from '../../../src/engine/crypto/sealed-box.ts';
import { sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import { decodeEntry, encodeEntry, entryObjectBytes } from '../../../src/engine/format/entry.ts';
import type { KnownBody } from '../../../src/engine/format/entry-body.ts';
import { entryName } from '../../../src/engine/format/names.ts';
import { associatedData, encodeEnvelope, encodeHeader } from '../../../src/engine/format/object.ts';
import { RepositoryKeys } from '../../../src/engine/format/keys.ts';
import { bitFlips, counting, fixedKeys, repository, seed, seededRandom } from './fixtures.ts';
import { bodies } from './samples.ts';

beforeAll(async () => {
  await loadBlake3();
});

const keys = fixedKeys();
const writer = writerId(toHex(publicKeyOf(seed)));

function encode(body: KnownBody, sequence = 1): { readonly name: string; readonly bytes: Uint8Array } {
  const previous = sequence === 1 ? null : entryId('ab'.repeat(32));
  return encodeEntry({ keys, seed, sequence, previous, body, random: seededRandom('entry') });
}

/** An authentic entry with any content and header, as a newer program might write it. */
function forge(content: Uint8Array, roles: number): { readonly name: string; readonly bytes: Uint8Array } {
  const sequence = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
  const chain = concatBytes(
    encodeHeader('entry', { roles, epoch: 1 }),
    publicKeyOf(seed),
    sequence,
    new Uint8Array(32),
  );
  const ad = associatedData(repository, 'entry', 1, chain);
  const box = seal(keys.sealingKey('entry', 1), ad, encodeEnvelope(content, 'off'), counting(32));
  const signed = concatBytes(chain, box);
  const bytes = concatBytes(signed, sign(seed, signed));
  return { name: entryName(writer, 1, entryId(sha256Hex(bytes))), bytes };
}

describe('journal entries', () => {
  it.each(Object.values(bodies))('of kind $kind come back with chain and roles', (body) => {
    const { name, bytes } = encode(body, 42);
    const entry = decodeEntry(keys, name, bytes);
    expect(entry).toMatchObject({ outcome: 'ok', writer, sequence: 42, previous: 'ab'.repeat(32), body });
    expect(bytes.byteLength).toBe(entryObjectBytes(body));
  });

  it('ask for the roles of the table', () => {
    const rolesOf = (body: KnownBody): unknown => {
      const { name, bytes } = encode(body);
      const entry = decodeEntry(keys, name, bytes);
      return entry.outcome === 'ok' ? entry.roles : entry.outcome;
    };
    expect(rolesOf(bodies.snapshot)).toEqual(['read', 'write', 'maintain']);
    expect(rolesOf(bodies.progress)).toEqual(['write', 'maintain']);
    expect(rolesOf(bodies.roles)).toEqual(['maintain']);
  });

  it('are damaged when the bytes do not match the name', () => {
    const { name, bytes } = encode(bodies.progress);
    for (const [, flipped] of bitFlips(bytes, 7)) expect(decodeEntry(keys, name, flipped).outcome).toBe('damaged');
    expect(decodeEntry(keys, name, bytes.subarray(1)).outcome).toBe('damaged');
  });

  it('are foreign when they match the name and any bit is not what the writer signed', () => {
    const { bytes } = encode(bodies.progress);
    for (const [bit, flipped] of bitFlips(bytes, 3)) {
      const name = entryName(writer, 1, entryId(sha256Hex(flipped)));
      expect(decodeEntry(keys, name, flipped).outcome, String(bit)).toBe('foreign');
    }
    for (let length = 0; length < bytes.byteLength; length += 5) {
      const cut = bytes.subarray(0, length);
      expect(decodeEntry(keys, entryName(writer, 1, entryId(sha256Hex(cut))), cut).outcome).toBe('foreign');
    }
  });

  it('are foreign under another name, another repository, older keys, and noise', () => {
    const { name, bytes } = encode(bodies.progress);
    expect(decodeEntry(keys, name.replace(writer, toHex(counting(32))), bytes).outcome).toBe('foreign');
    expect(decodeEntry(keys, name.replace('0001.', '0002.'), bytes).outcome).toBe('foreign');
    expect(decodeEntry(keys, 'nestegg.json', bytes).outcome).toBe('foreign');
    const stranger = RepositoryKeys.derive(repository, [counting(32), counting(32)]);
    expect(decodeEntry(stranger, name, bytes).outcome).toBe('foreign');
    const older = RepositoryKeys.derive(repository, [counting(32, 0x10)]);
    expect(decodeEntry(older, name, bytes).outcome).toBe('foreign');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(decodeEntry(keys, entryName(writer, 1, entryId(sha256Hex(noise))), noise).outcome).toBe('foreign');
      }),
    );
  });

  it('that are authentic but not understood are of an unknown kind, with roles, and base if there is one', () => {
    const base = '{"checkpoint":null,"heads":[]}';
    const known = { checkpoint: null, heads: [] };
    const run = '"run":"00000000000000000000000000000000","segments":[],"siblings":[],"timeMs":1';
    const cases = [
      [`{"kind":"compaction","base":${base},"x":1}`, 4, 'compaction', known],
      [`{"kind":"progress","base":${base},${run},"new":1}`, 6, 'progress', known],
      [`{"kind":"progress","base":${base},${run}}`, 7, 'progress', known],
      [`{"kind":"progress","base":{},${run}}`, 6, 'progress', undefined],
      ['not JSON', 1, undefined, undefined],
      ['[]', 1, undefined, undefined],
    ] as const;
    for (const [content, roles, name, expected] of cases) {
      const forged = forge(utf8(content), roles);
      const entry = decodeEntry(keys, forged.name, forged.bytes);
      expect(entry, content).toMatchObject({ outcome: 'ok', body: { kind: 'unknown', name, base: expected } });
    }
    const right = forge(utf8(`{"kind":"progress","base":${base},${run}}`), 6);
    expect(decodeEntry(keys, right.name, right.bytes)).toMatchObject({ body: { kind: 'progress' } });
  });

  it('refuse to be too long or to break the chain', () => {
    const segments = Array.from({ length: 1000 }, (_, index) =>
      segmentId(sha256Hex(Uint8Array.of(index & 255, index >> 8))),
    );
    const long = { ...bodies.progress, segments };
    expect(entryObjectBytes(long)).toBeGreaterThan(65_536);
    expect(() => encode(long)).toThrow(RangeError);
    const input = { keys, seed, body: bodies.progress, random: seededRandom('x') };
    expect(() => encodeEntry({ ...input, sequence: 2, previous: null })).toThrow(RangeError);
    expect(() => encodeEntry({ ...input, sequence: 1, previous: entryId('00'.repeat(32)) })).toThrow(RangeError);
  });

  it('hide their body', () => {
    const { bytes } = encode(bodies.snapshot);
    expect(Buffer.from(bytes).includes('datacenter')).toBe(false);
    expect(bytes.subarray(16, 48)).toEqual(fromHex(writer));
  });
});
