/** One HTTP server: the API, the live events and the built web UI, behind the guard of its listener. */
import { existsSync } from 'node:fs';
import { fastifySSE } from '@fastify/sse';
import fastifyStatic from '@fastify/static';
import { fastify, type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { EventHub } from './event-hub.ts';
import { guard, type Access } from './guard.ts';
import { problem, problemFor, sendProblem } from './problems.ts';
import { addEvents } from './routes/events.ts';
import { addRoutes } from './routes/routes.ts';
import type { ApiService } from './service.ts';

export interface ApiSettings {
  readonly service: ApiService;
  readonly hub: EventHub;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  /** Folder of the built web UI; where there is none, `/` says how to build it. */
  readonly uiFolder: string;
  /** Cuts known secrets out of every answer. */
  readonly scrub: (text: string) => string;
}

const largestBodyBytes = 1_048_576;
const requestTimeoutMs = 30_000;
const heartbeatMs = 10_000;

/** Not listening yet. @throws TypeError when a route declares no scope. */
export async function createApi(settings: ApiSettings, access: Access): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: largestBodyBytes,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // The daemon closes its listeners before it answers 503 itself.
    return503OnClosing: true,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  guard(app, access);
  app.setErrorHandler((error, request, reply) => {
    const answer = problemFor(error);
    if (answer.status >= 500) logFailure(settings.log, request.method, request.url, error);
    return sendProblem(reply, answer);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, problem(404, 'not-found', `there is no ${request.method} ${request.url.split('?')[0] ?? ''}`)),
  );
  app.addHook('onSend', async (_request, _reply, payload) =>
    typeof payload === 'string' ? settings.scrub(payload) : payload,
  );
  app.addHook('preClose', async () => {
    settings.hub.close();
  });
  await app.register(fastifySSE, {
    heartbeatInterval: heartbeatMs,
    serializer: (data: unknown) => settings.scrub(JSON.stringify(data)),
  });
  addRoutes(app, settings.service);
  addEvents(app, settings.hub, settings);
  await addUi(app, settings.uiFolder);
  return app;
}

async function addUi(app: FastifyInstance, folder: string): Promise<void> {
  if (existsSync(folder)) {
    await app.register(fastifyStatic, { root: folder, preCompressed: true, etag: true, wildcard: false });
    return;
  }
  app.get('/', async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send('The web UI is not built: npm run build:ui\n'),
  );
}

function logFailure(log: Logger, method: string, url: string, error: unknown): void {
  const stack = error instanceof Error ? error.stack : String(error);
  log.error('api.failed', { method, url, stack });
}
