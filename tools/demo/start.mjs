/** Before the demo proper: options, packages, build. Plain JavaScript, because nothing may be installed yet. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const stamp = join(root, 'dist/.built-by-demo');
const sources = ['src', 'ui', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

const usage = `Usage: npm run demo -- [--once] [--folder DIR]

Makes a small Proxmox Backup Server datastore, backs it up into two repositories (a directory, and Sia behind a
simulated gateway), kills and resumes a backup, loses the machine, and gets everything back from the bucket and a code.

  --once        end after the last step, and leave nothing behind
  --folder DIR  work in this folder, which must be empty or missing, and keep it; default: a temporary one, removed at
                the end. It needs about 2 GB.`;

function readOptions(args) {
  try {
    const options = { once: { type: 'boolean' }, folder: { type: 'string' }, help: { type: 'boolean', short: 'h' } };
    return parseArgs({ args, options }).values;
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

export async function main(args) {
  const options = readOptions(args);
  if (options === undefined) return;
  if (options.help) {
    console.log(usage);
    return;
  }
  try {
    if (!isInstalled()) await prepare('install the packages (npm ci)', ['ci', '--include=dev']);
    if (!isBuilt()) {
      await prepare('build (npm run build)', ['run', 'build']);
      mkdirSync(join(root, 'dist'), { recursive: true });
      writeFileSync(stamp, '');
    }
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exitCode = 1;
    return;
  }
  const { register } = await import('tsx/esm/api');
  register();
  const { runDemo } = await import('./main.ts');
  const folder = options.folder === undefined ? undefined : resolve(options.folder);
  process.exitCode = await runDemo({ once: options.once === true, folder, root });
}

function isInstalled() {
  const record = join(root, 'node_modules/.package-lock.json');
  return existsSync(record) && changedMs(record) >= changedMs(join(root, 'package-lock.json'));
}

/** The compiler leaves files alone that came out the same, so their times tell nothing. */
function isBuilt() {
  const built = ['dist/cli/main.js', 'dist/ui/index.html'].every((file) => existsSync(join(root, file)));
  return (
    built && existsSync(stamp) && changedMs(stamp) >= Math.max(...sources.map((path) => newestMs(join(root, path))))
  );
}

const changedMs = (path) => statSync(path).mtimeMs;

function newestMs(path) {
  if (!statSync(path).isDirectory()) return changedMs(path);
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestMs(join(path, name))), changedMs(path));
}

/** Runs npm, quietly unless it fails. */
async function prepare(what, args) {
  const started = performance.now();
  const terminal = process.stdout.isTTY;
  if (terminal) process.stdout.write(`  … ${what}`);
  const { code, output } = await new Promise((done, fail) => {
    const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', fail);
    child.once('close', (code, signal) => done({ code: code ?? signal, output }));
  });
  const took = `${((performance.now() - started) / 1000).toFixed(1)}s`;
  if (terminal) process.stdout.write('\r\x1b[2K');
  if (code !== 0)
    throw new Error(`${output.trim()}\n\nThe demo could not ${what}: npm ended with ${code}. Its output is above.`);
  console.log(terminal ? `\x1b[32m  ✓ \x1b[0m${what} \x1b[2m${took}\x1b[0m` : `ok   ${what} (${took})`);
}
