import { afterEach, describe, expect, it } from 'vitest';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../../src/core/random.ts';
import type { LiveEvent } from '../../../src/daemon/api/contract.ts';
import { loadToken, sameToken } from '../../../src/daemon/api/token.ts';
import { bearer, queued, startApi, tokenAccess } from './api.fixture.ts';

type Api = Awaited<ReturnType<typeof startApi>>;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Stream {
  next(): Promise<{ readonly id?: string; readonly event: LiveEvent }>;
  /** Resolves when the server ended it. */
  end(): Promise<void>;
  close(): Promise<void>;
}

async function listen(api: Api): Promise<string> {
  closing.push(() => api.app.close());
  return api.app.listen({ host: '127.0.0.1', port: 0 });
}

async function open(url: string, lastId?: string): Promise<Stream> {
  const stop = new AbortController();
  const headers = { ...bearer, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
  const answer = await fetch(`${url}/api/v1/events`, { headers, signal: stop.signal });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  const close = async (): Promise<void> => {
    stop.abort();
    await reader.read().catch(() => undefined);
  };
  closing.push(close);
  return {
    close,
    end: async () => {
      while (!(await reader.read()).done);
    },
    next: async () => {
      while (!text.includes('\n\n')) {
        const { value, done } = await reader.read();
        if (done) throw new Error('the stream ended');
        text += new TextDecoder().decode(value);
      }
      const block = text.slice(0, text.indexOf('\n\n'));
      text = text.slice(block.length + 2);
      const field = (name: string): string | undefined =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const id = field('id');
      return { ...(id === undefined ? {} : { id }), event: JSON.parse(String(field('data'))) as LiveEvent };
    },
  };
}

function numbered(number: number): Extract<LiveEvent, { type: 'task' }> {
  return { type: 'task', task: { ...queued, merged: number } };
}

describe('live events', () => {
  it('greet first, then tell what happens, with ids', async () => {
    const api = await startApi(tokenAccess);
    const stream = await open(await listen(api));
    expect((await stream.next()).event).toMatchObject({ type: 'hello', version: '0.1.0' });
    api.hub.publish(numbered(1));
    expect(await stream.next()).toEqual({ id: 'boot1-1', event: numbered(1) });
    api.hub.publish({
      type: 'progress',
      id: queued.id,
      progress: { phase: 'read', doneBytes: 1, doneItems: 0, uploadedBytes: 0, bytesPerSecond: 0 },
    });
    expect(await stream.next()).toMatchObject({ event: { type: 'progress' } });
  });

  it('replay what a client missed while it was away, and only that', async () => {
    const api = await startApi(tokenAccess);
    const url = await listen(api);
    const first = await open(url);
    await first.next();
    for (const number of [1, 2]) api.hub.publish(numbered(number));
    await first.next();
    const { id } = await first.next();
    await first.close();
    for (const number of [3, 4]) api.hub.publish(numbered(number));
    const second = await open(url, id);
    expect((await second.next()).event.type).toBe('hello');
    expect(await second.next()).toEqual({ id: 'boot1-3', event: numbered(3) });
    expect(await second.next()).toEqual({ id: 'boot1-4', event: numbered(4) });
    api.hub.publish({ type: 'status' });
    expect(await second.next()).toEqual({ id: 'boot1-5', event: { type: 'status' } });
  });

  it.each([
    ['of another start', 'boot0-3'],
    ['out of the buffer', 'boot1-1'],
    ['of the future', 'boot1-99'],
    ['that is none', 'nonsense'],
  ])('tell a client with an id %s to start anew', async (_name, id) => {
    const api = await startApi(tokenAccess, { replay: 3 });
    for (let number = 1; number <= 8; number += 1) api.hub.publish(numbered(number));
    const stream = await open(await listen(api), id);
    await stream.next();
    expect(await stream.next()).toEqual({ event: { type: 'reset' } });
  });

  it('are refused beyond the number of clients, and forget those that left', async () => {
    const api = await startApi(tokenAccess);
    const url = await listen(api);
    const streams = [await open(url), await open(url), await open(url)];
    const refused = await fetch(`${url}/api/v1/events`, { headers: bearer });
    expect(refused.status).toBe(503);
    await refused.body?.cancel();
    await streams[0]?.close();
    await expect.poll(() => api.hub.clients).toBe(2);
  });

  it('end when the daemon stops', async () => {
    const api = await startApi(tokenAccess);
    const stream = await open(await listen(api));
    await stream.next();
    await api.app.close();
    await stream.end();
    expect(api.hub.clients).toBe(0);
  });
});

describe('listeners', () => {
  it('answer on a unix socket without a token, but not to a page', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nestegg-socket-'));
    closing.push(() => rm(folder, { recursive: true }));
    const api = await startApi({ type: 'socket' });
    closing.push(() => api.app.close());
    const path = join(folder, 's');
    await api.app.listen({ path });
    const ask = (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request({ socketPath: path, path: '/api/v1/status', headers, agent: false }, (answer) => {
          answer.resume().once('end', () => {
            resolve(answer.statusCode);
          });
        })
          .once('error', reject)
          .end();
      });
    expect(await ask({})).toBe(200);
    expect(await ask({ origin: 'http://evil.example' })).toBe(403);
  });
});

describe('the token file', () => {
  it('is made once, for the owner alone, and refused when others can read it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nestegg-token-'));
    closing.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'token');
    const made = await loadToken(path, systemRandom);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(made.reveal()).toMatch(/^nestegg_[0-9a-f]{64}$/);
    expect(JSON.stringify({ made })).not.toContain(made.reveal());
    const again = await loadToken(path, systemRandom);
    expect(sameToken((await readFile(path, 'utf8')).trim(), again)).toBe(true);
    expect(sameToken('', again)).toBe(false);
    await chmod(path, 0o644);
    await expect(loadToken(path, systemRandom)).rejects.toMatchObject({ code: 'state.corrupt' });
    await chmod(path, 0o600);
    await writeFile(path, 'hello');
    await expect(loadToken(path, systemRandom)).rejects.toMatchObject({ code: 'state.corrupt' });
  });
});
