/**
 * `npm run demo`: from a fresh clone to a restored datastore, on a machine that has Node and npm and nothing else.
 *
 *     npm run demo -- [--once] [--folder DIR]
 *
 * This file needs nothing installed, and reads on old versions of Node, to say there which one is needed.
 */
import { readFileSync } from 'fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [needMajor, needMinor] = engines.node.replace('>=', '').split('.').map(Number);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > needMajor || (major === needMajor && minor >= needMinor)) {
  const { main } = await import('./demo/start.mjs');
  await main(process.argv.slice(2));
} else {
  console.error(`This is Node ${process.versions.node}; Nestegg needs ${needMajor}.${needMinor} or newer.`);
  console.error('  hint: https://nodejs.org has it for every system; `nvm install 22` beside the one you have.');
  process.exitCode = 1;
}
