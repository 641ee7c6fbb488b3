/** The token of the loopback API: 256 random bits in a file of mode 0600, made at the first start. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { toHex } from '../../core/bytes.ts';
import { NesteggError, systemCode } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { Secret } from '../../core/secret.ts';

const shape = /^nestegg_[0-9a-f]{64}$/;

/** @throws NesteggError `state.corrupt` when the file holds something else, or others may read it. */
export async function loadToken(path: string, random: Random): Promise<Secret> {
  try {
    const file = await open(path, 'wx', 0o600);
    const token = `nestegg_${toHex(random.bytes(32))}`;
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return new Secret(token);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  return readToken(path);
}

/** The token in an existing file. @throws as `loadToken`; ENOENT as it is. */
export async function readToken(path: string): Promise<Secret> {
  const token = (await readFile(path, 'utf8')).trim();
  if (!shape.test(token)) {
    const hint = 'Remove the file; the next start of the daemon makes a new one.';
    throw new NesteggError('state.corrupt', `${path} holds no token`, { hint });
  }
  if (((await stat(path)).mode & 0o077) !== 0) {
    const hint = `chmod 600 ${path}, and remove it if somebody may have read it.`;
    throw new NesteggError('state.corrupt', `${path} can be read by other users`, { hint });
  }
  return new Secret(token);
}

/** Compares in constant time, whatever the lengths. */
export function sameToken(given: string, token: Secret): boolean {
  return timingSafeEqual(hash(given), hash(token.reveal()));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
