/** `GET /api/v1/events`: live events as server-sent events, replayed from `Last-Event-ID`. */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../../core/clock.ts';
import type { EventHub, SentEvent, Subscription } from '../event-hub.ts';
import { RequestError } from '../problems.ts';

export interface EventSettings {
  readonly clock: Clock;
  readonly version: string;
}

interface Message {
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
}

export function addEvents(app: FastifyInstance, hub: EventHub, settings: EventSettings): void {
  app.get('/api/v1/events', { sse: 'only', config: { scope: 'read' } }, async (request, reply) => {
    const lastId = request.headers['last-event-id'];
    const subscription = hub.subscribe(typeof lastId === 'string' ? lastId : undefined);
    if (subscription === undefined) {
      throw new RequestError(503, 'api.forbidden', 'too many clients listen to live events already');
    }
    reply.sse.onClose(() => {
      subscription.close();
    });
    // The first event must go out before the handler ends: only then is the connection kept.
    await reply.sse.send(message({ event: { type: 'hello', nowMs: settings.clock.now(), version: settings.version } }));
    await reply.sse.send(messages(subscription));
  });
}

async function* messages(subscription: Subscription): AsyncGenerator<Message, undefined> {
  for await (const sent of subscription) yield message(sent);
  return undefined;
}

function message({ id, event }: SentEvent): Message {
  return { ...(id === undefined ? {} : { id }), event: event.type, data: event };
}
