import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { leaksSince, openThings } from './leaks.ts';

describe('the leak check', () => {
  it('sees an open file until it is closed', async () => {
    const before = openThings();
    const file = await open(import.meta.filename);
    expect(await leaksSince(before, 0)).toEqual([`file ${import.meta.filename}`]);
    await file.close();
    expect(await leaksSince(before)).toEqual([]);
  });

  it('sees a child process until it ended', async () => {
    const before = openThings();
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    expect(await leaksSince(before, 0)).toEqual(['ProcessWrap']);
    child.stdin.end();
    await once(child, 'close');
    expect(await leaksSince(before)).toEqual([]);
  });

  it('sees a worker thread until it ended', async () => {
    const before = openThings();
    const worker = new Worker('require("node:worker_threads").parentPort.once("message", () => {})', { eval: true });
    await once(worker, 'online');
    expect(await leaksSince(before, 0)).toEqual([expect.stringMatching(/^worker \d+$/)]);
    await worker.terminate();
    expect(await leaksSince(before)).toEqual([]);
  });

  it('sees a server until it is closed', async () => {
    const before = openThings();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(await leaksSince(before, 0)).toEqual(['TCPServerWrap']);
    server.close();
    await once(server, 'close');
    expect(await leaksSince(before)).toEqual([]);
  });
});
