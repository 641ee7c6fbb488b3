#!/usr/bin/env node
/** `nestegg`: the process around the program. */
import { setMaxListeners } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { systemClock } from '../core/clock.ts';
import { CancelledError, UsageError } from '../core/errors.ts';
import { systemRandom } from '../core/random.ts';
import { programVersion } from '../core/version.ts';
import { runProgram } from './program.ts';
import type { TextSink, World } from './world.ts';

function sink(stream: NodeJS.WriteStream): TextSink {
  return {
    isTerminal: stream.isTTY,
    get columns() {
      return stream.columns || 80;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}

async function readInput(limitBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    length += part.byteLength;
    if (length > limitBytes) throw new UsageError(`standard input is longer than ${String(limitBytes)} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What is typed goes to the line editor, whose echo goes nowhere. */
async function askSecret(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  process.stderr.write(question);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const editor = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await editor.question('');
  } finally {
    editor.close();
    process.stderr.write('\n');
  }
}

/** The first signal asks for an orderly end, the second one ends at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, stop.signal);
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(130);
      stop.abort(new CancelledError());
    });
  }
  return stop.signal;
}

const args = process.argv.slice(2);
const world: World = {
  env: process.env,
  clock: systemClock,
  random: systemRandom,
  // The daemon has signals of its own.
  signal: args.includes('daemon') ? new AbortController().signal : stopSignal(),
  stdout: sink(process.stdout),
  stderr: sink(process.stderr),
  readInput,
  askSecret,
};

// A reader that goes away (`nestegg tasks | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runProgram(args, world, programVersion());
