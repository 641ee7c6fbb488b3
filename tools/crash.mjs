/**
 * `npm run crash`: kills processes at moments drawn by a seed over their counted calls, and looks at what is left.
 *
 *     npm run crash -- [--moments 200] [--seed TEXT] [--phase NAME]... [--json]
 *
 * Sources and tests are turned into JavaScript in a temporary folder first: the processes made to be killed start in a
 * blink then, and are never those of an older build.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformWithOxc } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));
const typescript = { rewriteImportExtensions: 'rewrite', onlyRemoveTypeImports: true };

async function compile(source, target) {
  await mkdir(dirname(target), { recursive: true });
  const { code } = await transformWithOxc(await readFile(source, 'utf8'), source, {
    typescript,
    target: 'es2023',
    sourcemap: false,
    tsconfig: false,
  });
  await writeFile(target.replace(/\.ts$/, '.js'), code);
}

async function compileFolder(folder, to) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  const work = entries.map(async (entry) => {
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(root, source));
    if (!entry.isFile() || /\.test\.ts$|\.d\.ts$/.test(entry.name)) return;
    if (entry.name.endsWith('.ts')) await compile(source, target);
    else if (entry.name.endsWith('.mjs')) await cp(source, target);
  });
  await Promise.all(work);
}

const tree = realpathSync(mkdtempSync(join(tmpdir(), 'nestegg-crash-')));
process.on('exit', () => rmSync(tree, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

for (const folder of ['src', 'test/support', 'test/crash']) await compileFolder(folder, tree);
await writeFile(join(tree, 'package.json'), await readFile(join(root, 'package.json')));
symlinkSync(resolve(root, 'node_modules'), join(tree, 'node_modules'));
mkdirSync(join(tree, 'work'));

const { main } = await import(pathToFileURL(join(tree, 'test/crash/main.js')).href);
process.exitCode = await main(process.argv.slice(2), tree);
