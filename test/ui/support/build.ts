import { resolve } from 'node:path';
import { build } from 'vite';

/** Builds the page as `npm run build:ui` does, into a folder of the test. */
export async function buildUi(folder: string): Promise<void> {
  await build({
    root: resolve('ui'),
    configFile: resolve('ui/vite.config.ts'),
    mode: 'production',
    logLevel: 'warn',
    build: { outDir: folder, emptyOutDir: false },
  });
}
