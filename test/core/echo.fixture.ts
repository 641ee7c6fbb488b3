/** Answers its arguments and one message, as a worker thread or as a forked process, then ends. */
import { parentPort } from 'node:worker_threads';
import { toHex, utf8 } from '../../src/core/bytes.ts';

const answer = (message: unknown) => ({ args: process.argv.slice(2), hex: toHex(utf8(String(message))) });

if (parentPort === null) {
  process.once('message', (message) => {
    process.send?.(answer(message), () => process.disconnect());
  });
} else {
  const port = parentPort;
  port.once('message', (message: unknown) => port.postMessage(answer(message)));
}
