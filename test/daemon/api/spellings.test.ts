/** The router resolves more spellings of an address than one; whoever asks with any of them needs the token. */
import { request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bearer, startApi, tokenAccess } from './api.fixture.ts';

type Api = Awaited<ReturnType<typeof startApi>>;
let api: Api;
let port: number;

beforeEach(async () => {
  api = await startApi(tokenAccess);
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterEach(async () => {
  await api.app.close();
});

/** `path` goes out as it is: neither `fetch` nor `inject` would leave it so. */
function status(method: string, path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      answer.resume().once('end', () => {
        resolve(answer.statusCode);
      });
    });
    sent.once('error', reject);
    if (method === 'POST') sent.setHeader('content-type', 'application/json');
    sent.end(method === 'POST' ? '{}' : undefined);
  });
}

const spellings = [
  ['plain', (path: string) => path],
  ['with an escaped letter', (path: string) => path.replace('/api', '/%61pi')],
  ['with every letter of the start escaped', (path: string) => path.replace('/api/v1', '/%61%70%69/%76%31')],
  ['as a whole URL', (path: string) => `http://127.0.0.1${path}`],
  ['as a whole URL of another name', (path: string) => `https://elsewhere.example${path}`],
] as const;

it.each(spellings)('%s: needs the token', async (_name, spell) => {
  expect(await status('GET', spell('/api/v1/status'))).toBe(401);
  expect(await status('GET', spell('/api/v1/queue'))).toBe(401);
  expect(await status('POST', spell('/api/v1/config/reload'))).toBe(401);
  expect(await status('GET', spell('/api/v1/status'), bearer)).toBe(200);
  const foreign = { ...bearer, origin: 'http://evil.example' };
  expect(await status('GET', spell('/api/v1/status'), foreign)).toBe(403);
});
