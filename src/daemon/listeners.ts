/** Where the API listens: a socket in the state directory, and what the configuration names. */
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { messageOf, NesteggError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Access } from './api/guard.ts';
import { createApi, type ApiSettings } from './api/server.ts';
import { loadToken } from './api/token.ts';
import type { DaemonConfig } from './config/config.ts';

export interface Listeners {
  /** Addresses for people: `http://127.0.0.1:8480`, `unix:/var/lib/nestegg/api.sock`. */
  readonly addresses: readonly string[];
  /** Of the TCP listener. */
  readonly tokenFile: string | undefined;
  close(): Promise<void>;
}

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The state directory is locked by this process, so a socket that lies there is a left-over.
 * @throws NesteggError `daemon.address`
 */
export async function openListeners(config: DaemonConfig, settings: ApiSettings, random: Random): Promise<Listeners> {
  const apps: FastifyInstance[] = [];
  const addresses: string[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(apps.map((app) => app.close()));
  };
  const open = async (address: string, access: Access, listen: (app: FastifyInstance) => Promise<string>) => {
    const app = await createApi(settings, access);
    apps.push(app);
    addresses.push(await listen(app).catch((cause: unknown) => taken(address, cause)));
  };
  try {
    const sockets = [join(config.state, 'api.sock'), ...(config.listen.type === 'unix' ? [config.listen.path] : [])];
    for (const path of sockets) await open(path, { type: 'socket' }, (app) => listenOnSocket(app, path));
    if (config.listen.type === 'unix') return { addresses, tokenFile: undefined, close };
    const { host, port } = config.listen;
    const tokenFile = join(config.state, 'token');
    const token = await loadToken(tokenFile, random);
    await open(`${host}:${String(port)}`, { type: 'token', token, hosts: loopbackHosts }, (app) =>
      app.listen({ host, port }),
    );
    return { addresses, tokenFile, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listenOnSocket(app: FastifyInstance, path: string): Promise<string> {
  await rm(path, { force: true });
  await app.ready();
  // Between bind and chmod the socket must not be open to others either.
  const before = process.umask(0o177);
  try {
    await app.listen({ path });
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
  return `unix:${path}`;
}

function taken(address: string, cause: unknown): never {
  throw new NesteggError('daemon.address', `the daemon cannot listen on ${address}: ${messageOf(cause)}`, {
    cause,
    hint: 'Another program uses it, or it is not allowed: choose another one with `daemon.listen`.',
    context: { address },
  });
}
