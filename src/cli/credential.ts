/** The password or recovery code of a repository that no configuration knows. */
import { readFile } from 'node:fs/promises';
import { messageOf, UsageError } from '../core/errors.ts';
import type { SecretTexts } from '../tasks/kinds/assignment.ts';
import type { World } from './world.ts';

const hint = 'Set NESTEGG_PASSWORD, NESTEGG_PASSWORD_FILE or NESTEGG_RECOVERY_CODE.';

/** From the environment, else asked on the terminal. @throws UsageError when there is neither. */
export async function credentialFor(world: World, repository: string): Promise<SecretTexts> {
  const { env } = world;
  const recoveryCode = env['NESTEGG_RECOVERY_CODE'];
  if (recoveryCode !== undefined) return { recoveryCode };
  const password = env['NESTEGG_PASSWORD'] ?? (await passwordFile(env['NESTEGG_PASSWORD_FILE']));
  if (password !== undefined) return { password };
  const typed = await world.askSecret(`Password of ${repository}: `);
  if (typed === undefined || typed === '') throw new UsageError(`no password for ${repository}`, { hint });
  return { password: typed };
}

/** `--code CODE`, `--code -` (standard input), NESTEGG_RECOVERY_CODE, or asked on the terminal. */
export async function recoveryCodeFor(world: World, given: string | undefined): Promise<string> {
  if (given === '-') return (await world.readInput(4_096)).trim();
  const code = given ?? world.env['NESTEGG_RECOVERY_CODE'] ?? (await world.askSecret('Recovery code: '));
  if (code === undefined || code.trim() === '') {
    throw new UsageError('no recovery code', {
      hint: 'Give it by NESTEGG_RECOVERY_CODE, or on standard input with `--code -`.',
    });
  }
  return code.trim();
}

async function passwordFile(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    // One trailing newline belongs to the editor, not to the password.
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new UsageError(`the password file ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      code: 'config.secret',
    });
  }
}
