/** The real HTTP server of the daemon over a service that answers from a `Picture`. Loopback, a port of its own. */
import type { FastifyInstance } from 'fastify';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { LiveEvent } from '../../../src/daemon/api/contract.ts';
import { EventHub } from '../../../src/daemon/api/event-hub.ts';
import { createApi } from '../../../src/daemon/api/server.ts';
import type { ApiService } from '../../../src/daemon/api/service.ts';
import type { Picture } from './fixtures.ts';

export const token = `nestegg_${'7'.repeat(64)}`;

const notAsked = (): Promise<never> => Promise.reject(new Error('the page does not ask for this'));

export class PictureDaemon {
  picture: Picture;
  /** Every question about the state is answered with an error of the server. */
  broken = false;
  /** `Last-Event-ID` of every event stream that was opened, in order. */
  readonly resumedFrom: (string | undefined)[] = [];
  readonly #uiFolder: string;
  readonly #hub = new EventHub('fixture', { replay: 100, behind: 100, clients: 20 });
  #app: FastifyInstance | undefined;
  #port = 0;

  constructor(uiFolder: string, picture: Picture) {
    this.#uiFolder = uiFolder;
    this.picture = picture;
  }

  get origin(): string {
    return `http://127.0.0.1:${String(this.#port)}`;
  }

  /** The same port at every start. */
  async start(): Promise<void> {
    const service: ApiService = {
      status: async () => {
        if (this.broken) throw new Error('broken on purpose');
        return this.picture.status;
      },
      queue: async () => this.picture.queue,
      tasks: async () => ({ tasks: this.picture.tasks }),
      task: notAsked,
      log: notAsked,
      run: notAsked,
      cancel: notAsked,
      retry: notAsked,
      move: notAsked,
      pause: notAsked,
      resume: notAsked,
      setPriority: notAsked,
      snapshots: notAsked,
      snapshot: notAsked,
      reload: notAsked,
    };
    const settings = { service, hub: this.#hub, log: silentLogger, clock: systemClock, version: '0.1.0' };
    const app = await createApi(
      { ...settings, uiFolder: this.#uiFolder, scrub: (text) => text },
      { type: 'token', token: new Secret(token), hosts: ['127.0.0.1'] },
    );
    app.addHook('onRequest', async (request) => {
      if (request.url === '/api/v1/events') this.resumedFrom.push(request.headers['last-event-id']?.toString());
    });
    await app.listen({ host: '127.0.0.1', port: this.#port });
    this.#port = Number(new URL(app.listeningOrigin).port);
    this.#app = app;
  }

  async stop(): Promise<void> {
    await this.#app?.close();
    this.#app = undefined;
  }

  publish(event: Exclude<LiveEvent, { type: 'hello' | 'reset' }>): void {
    this.#hub.publish(event);
  }
}
