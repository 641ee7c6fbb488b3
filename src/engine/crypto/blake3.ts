/**
 * # Crypto: the primitives of the repository format
 *
 * Pure transforms over bytes; no file, no network, no key management. *Native* implementations are optional
 * accelerators: every one has a second implementation that gives the same bytes, and both are tested.
 *
 * Invariants: no function keeps a reference to its arguments after it returned, except the key objects, which copy
 * their key; nothing here is asynchronous but loading and the password function; results are owned by the caller.
 *
 * This file: BLAKE3-256, plain and keyed (BLAKE3 paper, section 2). `@napi-rs/blake-hash` is five times faster on
 * large inputs; a call into it costs microseconds, so that short inputs always go through WebAssembly (`hash-wasm`),
 * which answers more than a million of them a second.
 */
import { createBLAKE3 } from 'hash-wasm';
import type { Blake3Hasher } from '@napi-rs/blake-hash';
import { asBuffer, equalBytes, fromHex } from '../../core/bytes.ts';
import { NesteggError } from '../../core/errors.ts';

export type Blake3Implementation = 'native' | 'wasm';

type Hasher = Awaited<ReturnType<typeof createBLAKE3>>;
interface NativeModule {
  readonly Blake3Hasher: { new (): Blake3Hasher; newKeyed(key: Buffer): Blake3Hasher };
}

interface Loaded {
  readonly native: NativeModule | undefined;
  readonly nativePlain: Blake3Hasher | undefined;
  /** Inputs below this many bytes go through WebAssembly even when the native module is there. */
  readonly nativeFromBytes: number;
  readonly wasmPlain: Hasher;
  readonly wasmKeyed: Hasher;
  /** The key that `wasmKeyed.init` reads: one instance serves all keys. */
  readonly wasmKey: Uint8Array;
}

const nativeFromBytes = 2048;
let loaded: Loaded | undefined;

/**
 * Chooses the implementation; to be awaited once before anything here is used. A process-wide choice, because the
 * hashers are synchronous and have no place to carry it.
 * @param force for tests: use this one for every input, and fail when it is not installed.
 * @throws NesteggError `internal` when an implementation gives wrong bytes.
 */
export async function loadBlake3(force?: Blake3Implementation): Promise<void> {
  if (loaded !== undefined && force === undefined) return;
  const native = force === 'wasm' ? undefined : await importNative(force === 'native');
  const wasmKey = new Uint8Array(32);
  const next: Loaded = {
    native,
    nativePlain: native === undefined ? undefined : new native.Blake3Hasher(),
    nativeFromBytes: force === 'native' ? 0 : nativeFromBytes,
    wasmPlain: await createBLAKE3(256),
    wasmKeyed: await createBLAKE3(256, wasmKey),
    wasmKey,
  };
  selfTest(next);
  loaded = next;
}

/** Which implementation takes the bulk of the bytes. */
export function blake3Implementation(): Blake3Implementation {
  return state().native === undefined ? 'wasm' : 'native';
}

/** BLAKE3-256 of the concatenation of the parts. 32 bytes. */
export function blake3(...parts: readonly Uint8Array[]): Uint8Array {
  const now = state();
  const native = now.nativePlain;
  if (native !== undefined && longEnough(now, parts)) {
    native.reset();
    return runNative(native, parts);
  }
  return runWasm(now.wasmPlain.init(), parts);
}

/** Keyed BLAKE3-256. Make one instance a key and keep it: it is cheap to call, not to make. Not for several threads. */
export class KeyedBlake3 {
  readonly #key: Uint8Array;
  #native: Blake3Hasher | undefined;

  /** @param key 32 bytes; copied. @throws RangeError for another length. */
  constructor(key: Uint8Array) {
    if (key.byteLength !== 32) throw new RangeError('a BLAKE3 key has 32 bytes');
    this.#key = key.slice();
  }

  /** Keyed hash of the concatenation of the parts. 32 bytes. */
  digest(...parts: readonly Uint8Array[]): Uint8Array {
    const now = state();
    if (now.native !== undefined && longEnough(now, parts)) {
      this.#native ??= now.native.Blake3Hasher.newKeyed(asBuffer(this.#key));
      this.#native.reset();
      return runNative(this.#native, parts);
    }
    now.wasmKey.set(this.#key);
    return runWasm(now.wasmKeyed.init(), parts);
  }
}

function state(): Loaded {
  if (loaded === undefined) throw new NesteggError('internal', 'BLAKE3 was used before loadBlake3() had finished');
  return loaded;
}

function longEnough(now: Loaded, parts: readonly Uint8Array[]): boolean {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  return length >= now.nativeFromBytes;
}

function runNative(hasher: Blake3Hasher, parts: readonly Uint8Array[]): Uint8Array {
  for (const part of parts) hasher.update(asBuffer(part));
  return new Uint8Array(hasher.digestBuffer());
}

function runWasm(hasher: Hasher, parts: readonly Uint8Array[]): Uint8Array {
  for (const part of parts) hasher.update(part);
  return hasher.digest('binary');
}

async function importNative(required: boolean): Promise<NativeModule | undefined> {
  try {
    return await import('@napi-rs/blake-hash');
  } catch (error) {
    if (required) throw error;
    return undefined;
  }
}

/**
 * The shared keyed instance relies on `init` reading the key array again: two keys must give two known answers
 * (input: bytes 0 to 250; keys: the one of the official vectors, and zeros).
 */
function selfTest(candidate: Loaded): void {
  const input = Uint8Array.from({ length: 251 }, (_, index) => index);
  const key = Buffer.from('whats the Elvish word for friend', 'latin1');
  const answers: readonly (readonly [Uint8Array, string])[] = [
    [key, 'd1099e9cc6a7ff088a5041c66776aca205d9d0c8f625cdfe4ad6036f4024c1f9'],
    [new Uint8Array(32), '8a8364fc3a0dd2dabcee2839491c96d8135d73dfce69b946dab102a0f107aba7'],
  ];
  for (const [candidateKey, answer] of answers) {
    candidate.wasmKey.set(candidateKey);
    const results = [runWasm(candidate.wasmKeyed.init(), [input])];
    if (candidate.native !== undefined) {
      results.push(runNative(candidate.native.Blake3Hasher.newKeyed(asBuffer(candidateKey)), [input]));
    }
    for (const result of results) {
      if (!equalBytes(result, fromHex(answer))) {
        throw new NesteggError('internal', 'a BLAKE3 implementation fails its self-test', {
          hint: 'Reinstall the packages of Nestegg with the versions of its lock file.',
        });
      }
    }
  }
}
