/** Starts `echo.fixture` both ways; run as a program it prints what came back. */
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { forkProcess, startWorker } from '../../src/core/entry.ts';

export async function echoOfWorker(): Promise<unknown> {
  const worker = startWorker(import.meta.url, './echo.fixture', { argv: ['one', 'two'] });
  worker.postMessage('a');
  const [[answer]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return answer;
}

export async function echoOfProcess(): Promise<unknown> {
  const child = forkProcess(import.meta.url, './echo.fixture', ['one', 'two'], { serialization: 'advanced' });
  child.send('a');
  const [[answer], [code]] = await Promise.all([once(child, 'message'), once(child, 'close')]);
  return { ...(answer as object), code: code as unknown };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify([await echoOfWorker(), await echoOfProcess()]));
}
