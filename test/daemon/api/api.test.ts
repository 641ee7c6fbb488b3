import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fastify, type InjectOptions } from 'fastify';
import { guard } from '../../../src/daemon/api/guard.ts';
import { bearer, canary, json, queued, startApi, tokenAccess } from './api.fixture.ts';

const contract = readFileSync(new URL('../../../src/daemon/api/contract.ts', import.meta.url), 'utf8');
const routes = [...contract.matchAll(/^ \* \| (GET|POST) `(\/[^`]*)`.*\| (\w+)[^|]*\|$/gm)].map(([, method, path]) => ({
  method: method as 'GET' | 'POST',
  url: `/api/v1${String(path).replace(':id', queued.id).replace(':name', 'nas')}`,
}));

type Api = Awaited<ReturnType<typeof startApi>>;
let api: Api;

beforeEach(async () => {
  api = await startApi(tokenAccess);
});
afterEach(async () => {
  await api.app.close();
});

function send(options: InjectOptions) {
  return api.app.inject({ ...options, headers: { host: '127.0.0.1:8480', ...options.headers } });
}

describe('every route of the contract', () => {
  it('is served, and no other', () => {
    expect(routes.length).toBeGreaterThan(10);
    const served =
      api.app.printRoutes({ commonPrefix: false }).match(/\b(GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS)\b/g) ?? [];
    // The one more is `/`, the place of the web UI.
    expect(served).toHaveLength(routes.length + 1);
    for (const { method, url } of routes) expect(api.app.findRoute({ method, url: pattern(url) })).not.toBeNull();
  });

  function pattern(url: string): string {
    return url.replace(queued.id, ':id').replace('/nas/', '/:name/');
  }

  const wrong: readonly (readonly [string, number, string, Record<string, string>])[] = [
    ['no token', 401, 'api.unauthorized', {}],
    ['a wrong token', 401, 'api.unauthorized', { authorization: `Bearer nestegg_${'6'.repeat(64)}` }],
    ['a shorter token', 401, 'api.unauthorized', { authorization: 'Bearer nestegg_5' }],
    [
      'the token as a password',
      401,
      'api.unauthorized',
      { authorization: bearer.authorization.replace('Bearer', 'Basic') },
    ],
    ['the name of another host', 421, 'api.forbidden', { ...bearer, host: 'rebind.example:8480' }],
    ['a host that begins well', 421, 'api.forbidden', { ...bearer, host: '127.0.0.1.evil.example' }],
    ['a host with a user', 421, 'api.forbidden', { ...bearer, host: 'x@127.0.0.1' }],
    ['a foreign page', 403, 'api.forbidden', { ...bearer, origin: 'http://evil.example' }],
    ['a page on another port', 403, 'api.forbidden', { ...bearer, origin: 'http://127.0.0.1:9999' }],
    ['a sandboxed page', 403, 'api.forbidden', { ...bearer, origin: 'null' }],
    ['a cross-site request', 403, 'api.forbidden', { ...bearer, 'sec-fetch-site': 'cross-site' }],
    ['a same-site request', 403, 'api.forbidden', { ...bearer, 'sec-fetch-site': 'same-site' }],
  ];

  it.each(wrong)('refuses %s', async (_name, status, code, headers) => {
    for (const { method, url } of routes) {
      const answer = await send({ method, url, headers });
      expect([url, answer.statusCode]).toEqual([url, status]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.json()).toMatchObject({ type: 'about:blank', status, code });
      expect(api.service.asked).toEqual([]);
    }
  });

  it.each(routes.filter(({ method }) => method === 'POST'))('$url takes JSON only', async ({ method, url }) => {
    const form = { ...bearer, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await send({ method, url, headers: form, payload: 'a=b' })).statusCode).toBe(415);
    const plain = { ...bearer, 'content-type': 'text/plain' };
    expect((await send({ method, url, headers: plain, payload: '{}' })).statusCode).toBe(415);
    const broken = await send({ method, url, headers: json, payload: '{"a' });
    expect(broken.statusCode).toBe(400);
    const extra = await send({ method, url, headers: json, payload: { surprise: 1 } });
    expect([extra.statusCode, extra.json<{ code: string }>().code]).toEqual([400, 'usage']);
  });

  it.each(routes)('$method $url sends the security headers', async ({ method, url }) => {
    const { headers } = await send({ method, url });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('a request', () => {
  it('with the token is answered, by the page of the daemon too', async () => {
    const own = { ...bearer, origin: 'http://127.0.0.1:8480', 'sec-fetch-site': 'same-origin' };
    expect((await send({ url: '/api/v1/status', headers: bearer })).json()).toMatchObject({
      daemon: { device: 'pbs1' },
    });
    expect((await send({ url: '/api/v1/status', headers: own })).statusCode).toBe(200);
    expect((await send({ url: '/api/v1/status', headers: { ...bearer, host: '[::1]:8480' } })).statusCode).toBe(200);
  });

  it('for a task that is not there says so', async () => {
    const answer = await send({ url: '/api/v1/tasks/01other', headers: bearer });
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({
      type: 'about:blank',
      status: 404,
      title: 'Not Found',
      code: 'not-found',
      message: 'there is no task 01other',
      hint: 'See `nestegg tasks`.',
    });
  });

  it('for an unknown path is not found', async () => {
    const answer = await send({ url: '/api/v1/secrets', headers: bearer });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([404, 'not-found']);
  });

  it('runs a backup, triggered by who asked', async () => {
    const payload = { kind: 'backup', backup: 'datacenter', to: ['nas'], priority: 'normal' };
    const answer = await send({
      method: 'POST',
      url: '/api/v1/tasks',
      headers: { ...json, 'user-agent': 'nestegg-cli/0.1.0' },
      payload,
    });
    expect(answer.statusCode).toBe(202);
    expect(api.service.asked[0]?.request).toEqual({ ...payload, priority: 0 });
    expect(api.service.asked[0]?.caller.trigger).toBe('cli');
  });

  it.each([
    ['an unknown kind', { kind: 'gc', repository: 'nas' }],
    ['a share of nothing', { kind: 'check', repository: 'nas', mode: 'data', share: 0 }],
    [
      'a relative directory',
      { kind: 'restore', repository: 'nas', snapshots: ['all'], target: { type: 'datastore', directory: 'x' } },
    ],
    ['control characters', { kind: 'backup', backup: 'a\u001b[2J' }],
    ['an unknown key', { kind: 'backup', backup: 'a', command: 'rm' }],
    ['a priority of its own', { kind: 'backup', backup: 'a', priority: 'highest' }],
  ])('with %s is refused', async (_name, payload) => {
    const answer = await send({ method: 'POST', url: '/api/v1/tasks', headers: json, payload });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'usage']);
    expect(api.service.asked).toEqual([]);
  });

  it.each([
    ['/api/v1/queue/pause', { what: 'everything' }],
    ['/api/v1/queue/resume', { what: 'backup ' }],
    [`/api/v1/tasks/${queued.id}/move`, { place: { before: 'a', after: 'b' } }],
    [`/api/v1/tasks/${queued.id}/priority`, { priority: 1.5 }],
  ])('to %s with something else is refused', async (url, payload) => {
    const answer = await send({ method: 'POST', url, headers: json, payload });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'usage']);
  });

  it('with a body over the limit is refused', async () => {
    const payload = { kind: 'backup', backup: 'x'.repeat(1_100_000) };
    expect((await send({ method: 'POST', url: '/api/v1/tasks', headers: json, payload })).statusCode).toBe(413);
  });

  it('that meets a bug gets no stack, and the log has it', async () => {
    const answer = await send({
      method: 'POST',
      url: '/api/v1/tasks',
      headers: json,
      payload: { kind: 'backup', backup: 'bug' },
    });
    expect(answer.json()).toMatchObject({ status: 500, code: 'internal' });
    expect(answer.body).not.toContain('stack with');
    expect(api.lines).toMatchObject([
      { event: 'api.failed', fields: { stack: expect.stringContaining('a stack with') } },
    ]);
  });

  it('never shows a secret, whatever the error carries', async () => {
    const answer = await send({
      method: 'POST',
      url: '/api/v1/tasks',
      headers: json,
      payload: { kind: 'backup', backup: 'leak' },
    });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain(canary);
    expect(answer.json()).toMatchObject({ code: 'storage.refused', message: 'refused: [secret]' });
  });
});

describe('the guard', () => {
  it('lets no route without a scope start', () => {
    const app = fastify();
    guard(app, tokenAccess);
    expect(() => app.get('/api/v1/forgotten', () => 'x')).toThrow('declares no scope');
  });
});

describe('the web UI', () => {
  it('is served without a token, compressed when the browser takes it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nestegg-ui-'));
    await writeFile(join(folder, 'index.html'), '<!doctype html>plain');
    await writeFile(join(folder, 'index.html.br'), 'compressed');
    const { app } = await startApi(tokenAccess, { uiFolder: folder });
    const host = 'localhost:8480';
    const plain = await app.inject({ url: '/', headers: { host } });
    expect([plain.statusCode, plain.body]).toEqual([200, '<!doctype html>plain']);
    expect(plain.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    const small = await app.inject({ url: '/', headers: { host, 'accept-encoding': 'br' } });
    expect([small.headers['content-encoding'], small.body]).toEqual(['br', 'compressed']);
    expect((await app.inject({ url: '/', headers: { host: 'rebind.example' } })).statusCode).toBe(421);
    expect((await app.inject({ url: '/../package.json', headers: { host } })).statusCode).toBe(404);
    await app.close();
    await rm(folder, { recursive: true });
  });
});
