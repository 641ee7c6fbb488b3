/** The identity of a PBS chunk: what was verified about it is part of it (repository format, section 4). */
import { concatBytes, utf8 } from '../../core/bytes.ts';
import { digest, type Digest } from '../../core/ids.ts';
import { blake3 } from '../crypto/blake3.ts';

/**
 * `plain`: not encrypted, SHA-256 verified by us. `keyed`: encrypted, digest verified with our copy of the PBS key.
 * `unverified`: only the CRC was checked.
 */
export type Assurance = 'plain' | 'keyed' | 'unverified';

const prefix = utf8('nestegg pbs-chunk');

const rules: Readonly<
  Record<Assurance, { readonly number: number; readonly extraBytes: number; readonly of: string }>
> = {
  plain: { number: 1, extraBytes: 0, of: 'nothing' },
  keyed: { number: 2, extraBytes: 32, of: 'the fingerprint of the PBS key' },
  unverified: { number: 3, extraBytes: 16, of: 'the identity of the source' },
};

/** Bytes of `extra` that an assurance asks for: fingerprint of the PBS key, identity of the source, or nothing. */
export function assuranceExtraBytes(assurance: Assurance): number {
  return rules[assurance].extraBytes;
}

/**
 * @param pbsDigest the 32 bytes that the PBS index names.
 * @throws RangeError when `pbsDigest` or `extra` has a wrong length.
 */
export function pbsChunkDigest(assurance: Assurance, pbsDigest: Uint8Array, extra: Uint8Array): Digest {
  return pbsChunkDigests(assurance, extra)(pbsDigest);
}

/** The same for many chunks of one file: half the time, because everything but the PBS digest is prepared once. */
export function pbsChunkDigests(assurance: Assurance, extra: Uint8Array): (pbsDigest: Uint8Array) => Digest {
  const { number, extraBytes, of } = rules[assurance];
  if (extra.byteLength !== extraBytes) throw new RangeError(`extra must be ${of}, ${String(extraBytes)} bytes`);
  const input = concatBytes(prefix, Uint8Array.of(number), new Uint8Array(32), extra);
  const at = prefix.byteLength + 1;
  return (pbsDigest) => {
    if (pbsDigest.byteLength !== 32) throw new RangeError('a PBS digest has 32 bytes');
    input.set(pbsDigest, at);
    return digest(blake3(input));
  };
}
