/** `npm run bench`: speed and memory beside a plain copy and restic. Prints ratios; asserts nothing. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../', import.meta.url));

const usage = `Usage: npm run bench -- [--quick] [--only NAME] [--folder DIR] [--cold] [--program DIR] [--profiles DIR]

Measures the built command line beside \`cp -r\` and restic, and prints one table. It takes about half an hour and 15 GB;
the goals are meant for a machine that does nothing else meanwhile.

  --quick         small: a minute and 2 GB, for development; its ratios say little
  --only NAME     one measurement: unchanged, many, first or daemon (repeatable)
  --folder DIR    works there, where at least that much is free; default: the folder for temporary files
  --cold          drops the page cache before each run (root); default: all are measured with it warm
  --program DIR   a build to measure, as it is; default: dist, built anew
  --profiles DIR  writes processor profiles of our runs there; figures are worse meanwhile`;

function readOptions(args) {
  const options = {
    quick: { type: 'boolean' },
    only: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string' },
    cold: { type: 'boolean' },
    program: { type: 'string' },
    profiles: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    return { wrong: error.message };
  }
}

async function main(options) {
  register();
  const { runBench, measurementNames } = await import('../bench/main.ts');
  const unknown = options.only.find((name) => !measurementNames.includes(name));
  if (unknown !== undefined) return refuse(`there is no measurement ${unknown}`);
  if (options.program === undefined) {
    const { status } = spawnSync('npm', ['run', '--silent', 'build:daemon'], { cwd: root, stdio: 'inherit' });
    if (status !== 0) return 1;
  }
  const profiles = options.profiles === undefined ? undefined : resolve(options.profiles);
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  return runBench({
    size: options.quick ? 'quick' : 'full',
    only: options.only,
    folder: options.folder === undefined ? undefined : resolve(options.folder),
    program: resolve(options.program ?? `${root}dist`),
    cold: options.cold === true,
    profiles,
  });
}

function refuse(reason) {
  console.error(`${reason}\n\n${usage}`);
  return 2;
}

const options = readOptions(process.argv.slice(2));
if (options.wrong !== undefined) process.exitCode = refuse(options.wrong);
else if (options.help) console.log(usage);
else process.exitCode = await main(options);
