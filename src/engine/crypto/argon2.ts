/**
 * Argon2id (RFC 9106, version 0x13), 64 bytes out: repository format, section 3. `@node-rs/argon2` runs on threads of
 * its own; the second implementation (`hash-wasm`) needs about three times as long and blocks its thread.
 */
import type * as NodeRsArgon2 from '@node-rs/argon2';
import type { Secret } from '../../core/secret.ts';
import { utf8 } from '../../core/bytes.ts';
import { NesteggError } from '../../core/errors.ts';

export interface Argon2Params {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  /** 16 bytes. */
  readonly salt: Uint8Array;
}

/** Outside of these a key slot is not tried: below, a password is guessed cheaply; above, opening takes the machine down. */
export const argon2Limits = {
  memoryKiB: { least: 65_536, most: 4_194_304 },
  passes: { least: 1, most: 64 },
  lanes: { least: 1, most: 16 },
} as const;

export const argon2Defaults = { memoryKiB: 262_144, passes: 3, lanes: 4 } as const;

export type Argon2Implementation = 'native' | 'wasm';

type NativeModule = typeof NodeRsArgon2;

/**
 * @param password normalized to NFC here, so that one typed on another system is the same.
 * @param force for tests: the implementation; else native when it is installed.
 * @throws RangeError for parameters outside of the limits, before any memory is asked for.
 */
export async function argon2id(
  password: Secret,
  params: Argon2Params,
  force?: Argon2Implementation,
): Promise<Uint8Array> {
  checkParams(params);
  const bytes = utf8(password.reveal().normalize('NFC'));
  const native = force === 'wasm' ? undefined : await importNative(force === 'native');
  const result = native === undefined ? await runWasm(bytes, params) : await runNative(native, bytes, params);
  if (result.byteLength !== 64) throw new NesteggError('internal', 'Argon2id gave a result of the wrong length');
  return result;
}

/** @throws RangeError naming the parameter that is out of bounds. */
export function checkParams(params: Argon2Params): void {
  for (const name of ['memoryKiB', 'passes', 'lanes'] as const) {
    const { least, most } = argon2Limits[name];
    const value = params[name];
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(`Argon2 ${name} is ${String(value)}, allowed are ${String(least)} to ${String(most)}`);
    }
  }
  if (params.salt.byteLength !== 16) throw new RangeError('the salt of Argon2 has 16 bytes');
}

async function runNative(native: NativeModule, password: Uint8Array, params: Argon2Params): Promise<Uint8Array> {
  // Argon2id, version 0x13, is the default of this package; its enums have no values at run time.
  const raw = await native.hashRaw(password, {
    memoryCost: params.memoryKiB,
    timeCost: params.passes,
    parallelism: params.lanes,
    outputLen: 64,
    salt: params.salt,
  });
  return new Uint8Array(raw);
}

async function runWasm(password: Uint8Array, params: Argon2Params): Promise<Uint8Array> {
  const { argon2id: hash } = await import('hash-wasm');
  return await hash({
    password,
    salt: params.salt,
    iterations: params.passes,
    parallelism: params.lanes,
    memorySize: params.memoryKiB,
    hashLength: 64,
    outputType: 'binary',
  });
}

async function importNative(required: boolean): Promise<NativeModule | undefined> {
  try {
    return await import('@node-rs/argon2');
  } catch (error) {
    if (required) throw error;
    return undefined;
  }
}
