import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOfProcess, echoOfWorker } from './entry.fixture.ts';

const run = promisify(execFile);
const answer = { args: ['one', 'two'], hex: '61' };

describe('modules started from TypeScript', () => {
  it('as a worker thread', async () => {
    expect(await echoOfWorker()).toEqual(answer);
  });

  it('as a child process', async () => {
    expect(await echoOfProcess()).toEqual({ ...answer, code: 0 });
  });
});

describe('modules started from the build', () => {
  let build: string;

  beforeAll(async () => {
    build = await mkdtemp(join(tmpdir(), 'nestegg-entry-'));
    const config = {
      extends: resolve('tsconfig.build.json'),
      compilerOptions: { rootDir: resolve('.'), outDir: build, incremental: false, tsBuildInfoFile: null },
      files: ['entry', 'echo'].map((name) => resolve(`test/core/${name}.fixture.ts`)),
      include: [],
    };
    await writeFile(join(build, 'tsconfig.json'), JSON.stringify(config));
    await writeFile(join(build, 'package.json'), '{"type":"module"}');
    await symlink(resolve('node_modules'), join(build, 'node_modules'));
    await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', join(build, 'tsconfig.json')]);
  });

  afterAll(() => rm(build, { recursive: true, force: true }));

  it('start without the development bootstrap and without tsx', async () => {
    const { stdout } = await run(process.execPath, [join(build, 'test/core/entry.fixture.js')], { cwd: tmpdir() });
    expect(JSON.parse(stdout)).toEqual([answer, { ...answer, code: 0 }]);
    expect(await readdir(join(build, 'src/core'))).not.toContain('entry-dev.mjs');
  });
});
