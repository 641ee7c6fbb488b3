import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AdminContext, AdminFailure, type AdminRoutes } from './admin-routes.ts';
import { header, readBody, sendJson } from './http.ts';
import type { SiaGateway } from './profiles.ts';
import { renterdRoutes } from './renterd-api.ts';
import { s3dRoutes } from './s3d-api.ts';

const routesOf: Readonly<Record<SiaGateway, AdminRoutes>> = { renterd: renterdRoutes, s3d: s3dRoutes };

export async function answerAdmin(
  context: AdminContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const nowMs = context.faults.now();
  const [rawPath = '', query = ''] = (request.url ?? '/').split('?', 2);
  const name = `${request.method ?? ''} ${decodeURIComponent(rawPath)}`;
  try {
    const raw = await readBody(request);
    if (!isAuthorized(context, request)) throw new AdminFailure(401, 'unauthorized');
    const [pattern, route] = findRoute(routesOf[context.kind], name);
    context.stats.note(pattern);
    const fault = context.faults.take(pattern, name);
    if (fault?.kind === 'status') throw new AdminFailure(fault.status, fault.code);
    const body: unknown = raw.byteLength === 0 ? undefined : JSON.parse(raw.toString('utf8'));
    const path = name.slice(name.indexOf(' ') + 1);
    sendJson(response, 200, await route({ path, query: new URLSearchParams(query), body }, context), nowMs);
  } catch (error) {
    const status = error instanceof AdminFailure ? error.status : 500;
    response.writeHead(status, { 'content-type': 'text/plain', date: new Date(nowMs).toUTCString() });
    response.end(error instanceof Error ? error.message : String(error));
  }
}

/** renterd wants an empty user; s3d takes any. */
function isAuthorized(context: AdminContext, request: IncomingMessage): boolean {
  const match = /^Basic (.+)$/.exec(header(request, 'authorization'));
  const [user = '', password = ''] = Buffer.from(match?.[1] ?? '', 'base64')
    .toString('utf8')
    .split(':', 2);
  return password === context.password && (context.kind === 's3d' || user === '');
}

function findRoute(routes: AdminRoutes, name: string): [string, AdminRoutes[string]] {
  const exact = routes[name];
  if (exact !== undefined) return [name, exact];
  for (const [pattern, route] of Object.entries(routes)) {
    if (pattern.endsWith('/') && name.startsWith(pattern)) return [pattern, route];
  }
  throw new AdminFailure(404, 'not found');
}
