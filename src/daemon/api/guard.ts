/** What is refused before a route runs: wrong Host, foreign pages, missing or wrong tokens, routes beyond the scope. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Secret } from '../../core/secret.ts';
import type { Scope } from './contract.ts';
import { RequestError } from './problems.ts';
import type { Caller } from './service.ts';
import { sameToken } from './token.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller must be allowed to do. Every route under `/api/` declares it. */
    scope?: Scope;
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

/** How clients reach this listener, and who they are then. */
export type Access =
  /** A unix socket: only its owner can connect, and may do everything. */
  | { readonly type: 'socket' }
  /** Loopback TCP: any user and any web page of this machine can connect, so a token is needed. */
  | { readonly type: 'token'; readonly token: Secret; readonly hosts: readonly string[] };

const everything: ReadonlySet<Scope> = new Set<Scope>(['read', 'run', 'restore', 'config']);

const headers: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export function guard(app: FastifyInstance, access: Access): void {
  app.decorateRequest('caller', undefined);
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/') && route.config?.scope === undefined) {
      throw new TypeError(`the route ${String(route.method)} ${route.url} declares no scope`);
    }
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    if (access.type === 'token') checkHost(request, access.hosts);
    // The route that was found decides, never the address as it was spelled: the router also takes `/%61pi/` and whole URLs.
    const { scope } = request.routeOptions.config;
    if (scope === undefined && !request.url.startsWith('/api/')) return;
    void reply.header('cache-control', 'no-store');
    checkOrigin(request, access);
    request.caller = identify(request, access);
    if (scope !== undefined) requireScope(request, scope);
  });
}

/** @throws RequestError 401 or 403. */
export function requireScope(request: FastifyRequest, scope: Scope): Caller {
  const { caller } = request;
  if (caller === undefined) throw unauthorized();
  if (!caller.scopes.has(scope)) throw new RequestError(403, 'api.forbidden', `this needs the scope ${scope}`);
  return caller;
}

/** DNS rebinding: a page of another name that resolves to 127.0.0.1 still sends its own name. */
function checkHost(request: FastifyRequest, hosts: readonly string[]): void {
  const host = /^(\[[0-9a-f:]+\]|[^:]+)(:\d+)?$/i.exec(request.headers.host ?? '')?.[1]?.toLowerCase();
  if (host === undefined || !hosts.includes(host)) {
    throw new RequestError(421, 'api.forbidden', 'this address does not answer for that host name');
  }
}

/** A page of another origin must not reach the API, with or without a token. */
function checkOrigin(request: FastifyRequest, access: Access): void {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const own = access.type === 'token' && origin === `http://${String(host)}`;
  if (origin !== undefined && !own) throw foreign();
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw foreign();
}

function foreign(): RequestError {
  return new RequestError(403, 'api.forbidden', 'requests from other web pages are refused');
}

function unauthorized(): RequestError {
  const hint = 'Send `Authorization: Bearer` with the token from the file `token` in the state directory.';
  return new RequestError(401, 'api.unauthorized', 'this needs a valid token', hint);
}

function identify(request: FastifyRequest, access: Access): Caller {
  const trigger = triggerOf(request);
  if (access.type === 'socket') return { name: 'socket', scopes: everything, local: true, trigger };
  const given = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given === undefined || !sameToken(given, access.token)) throw unauthorized();
  return { name: 'token', scopes: everything, local: false, trigger };
}

/** For the record only, nothing is decided by it. */
function triggerOf(request: FastifyRequest): Caller['trigger'] {
  if (request.headers['user-agent']?.startsWith('nestegg-cli') === true) return 'cli';
  return request.headers['sec-fetch-site'] === undefined ? 'api' : 'ui';
}
