/** Reads the secrets that the configuration names. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, systemCode } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import type { Environment } from './environment.ts';
import type { SecretSource } from './words.ts';

export type ReadSecret =
  { readonly ok: true; readonly secret: Secret } | { readonly ok: false; readonly why: string; readonly hint: string };

/**
 * One secret; never throws. One line break at the end of a file is not part of it. Relative paths start at `folder`, the
 * one of the configuration file; credentials are those of systemd, in `$CREDENTIALS_DIRECTORY`.
 */
export async function readSecret(from: SecretSource, folder: string, environment: Environment): Promise<ReadSecret> {
  switch (from.from) {
    case 'text':
      return { ok: true, secret: new Secret(from.text) };
    case 'file':
      return readSecretFile(resolve(folder, from.path), 'Make the file, readable for the daemon alone (mode 0600).');
    case 'credential': {
      const directory = environment['CREDENTIALS_DIRECTORY'];
      const hint = `Give it to the unit: LoadCredential=${from.name}:PATH`;
      if (directory === undefined) return { ok: false, why: 'there is no $CREDENTIALS_DIRECTORY', hint };
      return readSecretFile(join(directory, from.name), hint);
    }
  }
}

async function readSecretFile(path: string, hint: string): Promise<ReadSecret> {
  try {
    const text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
    return text === '' ? { ok: false, why: `${path} is empty`, hint } : { ok: true, secret: new Secret(text) };
  } catch (error) {
    const why =
      systemCode(error) === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read: ${messageOf(error)}`;
    return { ok: false, why, hint };
  }
}
