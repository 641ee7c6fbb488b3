/** Serves the built page with the daemon's policy, and answers its API from a `Picture`. Loopback, a port of its own. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { LiveEvent } from '../../../src/daemon/api/contract.ts';
import type { Picture } from './fixtures.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface ApiServer {
  readonly origin: string;
  picture: Picture;
  /** `Last-Event-ID` of every event stream that was opened, in order. */
  readonly resumedFrom: (string | undefined)[];
  send(event: LiveEvent, id?: string): void;
  /** Breaks all event streams, as a restart of the daemon does. */
  breakStreams(): void;
  /** From now on everything but the page is refused with 503. */
  down: boolean;
  close(): Promise<void>;
}

export const token = 'nestegg_fixture';

function frame(event: LiveEvent, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

export async function serveUi(build: string, picture: Picture): Promise<ApiServer> {
  const streams = new Set<ServerResponse>();
  const api: ApiServer = {
    origin: '',
    picture,
    resumedFrom: [],
    down: false,
    send: (event, id) => streams.forEach((stream) => stream.write(frame(event, id))),
    breakStreams: () => streams.forEach((stream) => stream.destroy()),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (!pathname.startsWith('/api/')) {
      const path = join(build, normalize(pathname === '/' ? '/index.html' : pathname));
      readFile(path).then(
        (bytes) =>
          response
            .writeHead(200, { 'content-type': types[extname(path)] ?? '', 'content-security-policy': policy })
            .end(bytes),
        () => response.writeHead(404).end(),
      );
    } else if (api.down) json(503, { message: 'the daemon is stopping', hint: 'It starts again soon.' });
    else if (request.headers.authorization !== `Bearer ${token}`) json(401, { message: 'the token is not known' });
    else if (pathname === '/api/v1/status') json(200, api.picture.status);
    else if (pathname === '/api/v1/queue') json(200, api.picture.queue);
    else if (pathname === '/api/v1/tasks') json(200, { tasks: api.picture.tasks });
    else if (pathname === '/api/v1/events') {
      api.resumedFrom.push(request.headers['last-event-id']?.toString());
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(frame({ type: 'hello', nowMs: api.picture.status.daemon.nowMs, version: '0.1.0' }));
      streams.add(response);
      response.once('close', () => streams.delete(response));
    } else json(404, { message: 'no such path' });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(api, { origin: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` });
}
