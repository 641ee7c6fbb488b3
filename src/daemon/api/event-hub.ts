/**
 * Live events for any number of clients, with replay from a bounded buffer.
 *
 * An id is `<boot>-<number>`: numbers grow by one from 1 within one life of the daemon. A client that names an id which is still
 * within reach gets everything after it; any other id is answered with `reset`.
 */
import { Channel } from '../../core/channel.ts';
import type { LiveEvent } from './contract.ts';

export interface SentEvent {
  /** Absent for `hello`, `reset` and `progress`, which are not replayed. */
  readonly id?: string;
  readonly event: LiveEvent;
}

export interface Subscription extends AsyncIterable<SentEvent> {
  /** Idempotent. */
  close(): void;
}

export interface EventHubLimits {
  /** Events kept for replay. */
  readonly replay: number;
  /** Events a slow client may be behind before its connection ends; it comes back and replays. */
  readonly behind: number;
  /** Clients at once. */
  readonly clients: number;
}

interface Kept {
  readonly number: number;
  readonly event: LiveEvent;
}

interface Client {
  readonly channel: Channel<SentEvent>;
  waiting: number;
}

export class EventHub {
  readonly #boot: string;
  readonly #limits: EventHubLimits;
  readonly #kept: Kept[] = [];
  readonly #clients = new Set<Client>();
  #last = 0;

  /** `boot`: letters and digits, different at every start. */
  constructor(boot: string, limits: EventHubLimits) {
    this.#boot = boot;
    this.#limits = limits;
  }

  get clients(): number {
    return this.#clients.size;
  }

  publish(event: Exclude<LiveEvent, { type: 'hello' | 'reset' }>): void {
    if (event.type === 'progress') {
      this.#sendAll({ event });
      return;
    }
    this.#last += 1;
    this.#kept.push({ number: this.#last, event });
    if (this.#kept.length > this.#limits.replay) this.#kept.shift();
    this.#sendAll({ id: this.#id(this.#last), event });
  }

  /** What was missed since `lastId`, then everything new; `undefined` when there are too many clients. */
  subscribe(lastId: string | undefined): Subscription | undefined {
    if (this.#clients.size >= this.#limits.clients) return undefined;
    const client: Client = { channel: new Channel<SentEvent>(Infinity), waiting: 0 };
    this.#clients.add(client);
    for (const sent of this.#missed(lastId)) this.#send(client, sent);
    return {
      close: () => {
        this.#drop(client);
      },
      [Symbol.asyncIterator]: () => this.#read(client),
    };
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const client of [...this.#clients]) this.#drop(client);
  }

  #missed(lastId: string | undefined): readonly SentEvent[] {
    if (lastId === undefined) return [];
    const [boot, text] = lastId.split('-', 2);
    const number = Number(text);
    const oldest = this.#last - this.#kept.length;
    if (boot !== this.#boot || !Number.isSafeInteger(number) || number < oldest || number > this.#last) {
      return [{ event: { type: 'reset' } }];
    }
    return this.#kept
      .filter((kept) => kept.number > number)
      .map((kept) => ({ id: this.#id(kept.number), event: kept.event }));
  }

  async *#read(client: Client): AsyncGenerator<SentEvent, undefined> {
    try {
      for await (const sent of client.channel) {
        client.waiting -= 1;
        yield sent;
      }
    } finally {
      this.#drop(client);
    }
    return undefined;
  }

  #sendAll(sent: SentEvent): void {
    for (const client of [...this.#clients]) this.#send(client, sent);
  }

  #send(client: Client, sent: SentEvent): void {
    client.waiting += 1;
    if (client.waiting > this.#limits.behind + this.#limits.replay) this.#drop(client);
    // Never waits: the capacity is infinite and the bound is the line above.
    else client.channel.push(sent).catch(() => undefined);
  }

  #drop(client: Client): void {
    if (this.#clients.delete(client)) client.channel.close();
  }

  #id(number: number): string {
    return `${this.#boot}-${String(number)}`;
  }
}
