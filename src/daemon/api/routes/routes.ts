/** The routes of `/api/v1`, one for each row of the table in `contract.ts`. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { requireScope } from '../guard.ts';
import {
  byId,
  byName,
  byNameAndId,
  moveRequest,
  nothing,
  pauseRequest,
  priorityRequest,
  runRequest,
  snapshotQuery,
  taskQuery,
} from '../schemas.ts';
import type { ApiService } from '../service.ts';

export type ApiApp = FastifyInstance;

const root = '/api/v1';

export function addRoutes(target: ApiApp, service: ApiService): void {
  addReading(target, service);
  addActing(target, service);
}

function addReading(target: ApiApp, service: ApiService): void {
  const app = target.withTypeProvider<ZodTypeProvider>();
  const config = { scope: 'read' } as const;

  app.get(`${root}/status`, { config, schema: { querystring: nothing } }, async () => service.status());

  app.get(`${root}/queue`, { config, schema: { querystring: nothing } }, async () => service.queue());

  app.get(`${root}/tasks`, { config, schema: { querystring: taskQuery } }, async ({ query }) => service.tasks(query));

  app.get(`${root}/tasks/:id`, { config, schema: { params: byId } }, async ({ params }) => service.task(params.id));

  app.get(`${root}/tasks/:id/log`, { config, schema: { params: byId } }, async ({ params }) => service.log(params.id));

  app.get(
    `${root}/repositories/:name/snapshots`,
    { config, schema: { params: byName, querystring: snapshotQuery } },
    async ({ params, query }) => service.snapshots(params.name, query),
  );

  app.get(`${root}/repositories/:name/snapshots/:id`, { config, schema: { params: byNameAndId } }, async ({ params }) =>
    service.snapshot(params.name, params.id),
  );
}

function addActing(target: ApiApp, service: ApiService): void {
  const app = target.withTypeProvider<ZodTypeProvider>();
  const config = { scope: 'run' } as const;
  const task = { params: byId, body: nothing };

  app.post(`${root}/tasks`, { config, schema: { body: runRequest } }, async (request, reply) => {
    const caller = requireScope(request, request.body.kind === 'restore' ? 'restore' : 'run');
    void reply.code(202);
    return service.run(request.body, caller);
  });

  app.post(`${root}/tasks/:id/cancel`, { config, schema: task }, async (request, reply) => {
    void reply.code(202);
    return service.cancel(request.params.id, requireScope(request, 'run'));
  });

  app.post(`${root}/tasks/:id/retry`, { config, schema: task }, async (request, reply) => {
    void reply.code(202);
    return service.retry(request.params.id, requireScope(request, 'run'));
  });

  app.post(
    `${root}/tasks/:id/priority`,
    { config, schema: { params: byId, body: priorityRequest } },
    async ({ params, body }) => service.setPriority(params.id, body.priority),
  );

  app.post(
    `${root}/tasks/:id/move`,
    { config, schema: { params: byId, body: moveRequest } },
    async ({ params, body }) => service.move(params.id, body),
  );

  app.post(`${root}/queue/pause`, { config, schema: { body: pauseRequest } }, async (request) =>
    service.pause(request.body.what, requireScope(request, 'run')),
  );

  app.post(`${root}/queue/resume`, { config, schema: { body: pauseRequest } }, async ({ body }) =>
    service.resume(body.what),
  );

  app.post(`${root}/config/reload`, { config: { scope: 'config' }, schema: { body: nothing } }, async () =>
    service.reload(),
  );
}
