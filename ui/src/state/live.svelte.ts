/**
 * The live picture of one daemon. Opens the event stream, loads everything, follows the events, and loads anew what an event
 * may have changed on the server. What was shown stays while the daemon is away, marked as stale since the last sign of life.
 */
import type { LiveEvent } from '../../../src/daemon/api/contract.ts';
import { applyEvent, endedOf, reloads, type LiveData } from '../model/live-data.ts';
import { Api, ApiError } from './api.ts';
import { every, nowMs, pause } from './browser.ts';

export type Connection =
  { readonly state: 'connecting' } | { readonly state: 'live' } | { readonly state: 'stale'; readonly sinceMs: number };

/** After this long without a sign of life, the page says so. */
const silenceMs = 20_000;
const firstRetryMs = 1000;
const longestRetryMs = 15_000;
const reloadAfterMs = 250;
/** More than are shown: the newest tasks may still be waiting or running. */
const loadedTasks = 40;

export class Live {
  data = $state.raw<LiveData | undefined>();
  connection = $state.raw<Connection>({ state: 'connecting' });
  problem = $state.raw<{ readonly message: string; readonly hint: string | undefined } | undefined>();
  /** Now, by the daemon's clock, once a second. */
  now = $state(nowMs());

  readonly #api: Api;
  readonly #refused: () => void;
  #offsetMs = 0;
  #heardMs = nowMs();
  #lastId: string | undefined;
  #reloading = false;
  #reloadAgain = false;

  /** `refused` is called once when the daemon does not accept the token. */
  constructor(token: string, refused: () => void) {
    this.#api = new Api(token);
    this.#refused = refused;
  }

  /** Runs until the signal aborts; a lost daemon is tried again, slower each time. */
  async run(signal: AbortSignal): Promise<void> {
    const stopTicking = every(1000, () => this.#tick());
    let retryMs = firstRetryMs;
    try {
      while (!signal.aborted) {
        const heardBefore = this.#heardMs;
        if (!(await this.#connect(signal))) return;
        retryMs = this.#heardMs > heardBefore ? firstRetryMs : Math.min(retryMs * 2, longestRetryMs);
        await pause(retryMs, signal);
      }
    } finally {
      stopTicking();
    }
  }

  /** One connection, from first byte to last. `false` when trying again is of no use. */
  async #connect(signal: AbortSignal): Promise<boolean> {
    try {
      for await (const { event, id } of this.#api.events(this.#lastId, signal)) {
        if (event) await this.#take(event, signal);
        if (id !== undefined) this.#lastId = id;
        this.#heard();
      }
      this.#lost('the daemon closed the connection', undefined);
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        this.#refused();
        return false;
      }
      if (error instanceof ApiError) this.#lost(error.message, error.hint);
      else this.#lost('the daemon does not answer', undefined);
    }
    return true;
  }

  async #take(event: LiveEvent, signal: AbortSignal): Promise<void> {
    if (event.type === 'reset') this.#lastId = undefined;
    // Loaded after the stream is open: what changes meanwhile arrives as events behind this one.
    if (event.type === 'hello') await this.#load(signal);
    if (this.data) this.data = applyEvent(this.data, event);
    if (reloads(event)) void this.#reload(signal);
  }

  /** Many events in a row lead to one reload, and none is lost while it runs. */
  async #reload(signal: AbortSignal): Promise<void> {
    this.#reloadAgain = true;
    if (this.#reloading) return;
    this.#reloading = true;
    try {
      while (this.#reloadAgain && !signal.aborted) {
        await pause(reloadAfterMs, signal);
        this.#reloadAgain = false;
        await this.#load(signal);
      }
    } catch {
      // The event stream breaks for the same reason, and says it.
    } finally {
      this.#reloading = false;
    }
  }

  async #load(signal: AbortSignal): Promise<void> {
    const [status, queue, page] = await Promise.all([
      this.#api.status(signal),
      this.#api.queue(signal),
      this.#api.tasks(loadedTasks, signal),
    ]);
    this.#offsetMs = status.daemon.nowMs - nowMs();
    this.data = { status: { ...status, running: queue.running }, queue, recent: endedOf(page) };
  }

  #heard(): void {
    this.#heardMs = nowMs();
    this.problem = undefined;
    if (this.connection.state !== 'live') this.connection = { state: 'live' };
  }

  #lost(message: string, hint: string | undefined): void {
    this.problem = { message, hint };
    if (this.data) this.#stale();
  }

  #stale(): void {
    if (this.connection.state !== 'stale') this.connection = { state: 'stale', sinceMs: this.#heardMs };
  }

  #tick(): void {
    this.now = nowMs() + this.#offsetMs;
    if (this.data && nowMs() - this.#heardMs > silenceMs) this.#stale();
  }
}
