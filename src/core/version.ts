/** What this program is called by its package. */
import { readFileSync } from 'node:fs';

/** In the build and in the sources `package.json` and `dist` lie two folders up. */
export const packageRoot = new URL('../../', import.meta.url);

export function programVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as {
    readonly version: string;
  };
  return version;
}
