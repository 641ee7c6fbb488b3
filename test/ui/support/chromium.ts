/** A headless Chromium, driven over the DevTools protocol through a pipe: no port, no further package. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

type Params = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
];

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, { readonly give: (result: Params) => void; readonly fail: (e: Error) => void }>();
  readonly #listeners = new Set<(message: Message) => void>();
  #lastId = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#take(JSON.parse(message) as Message);
    });
  }

  static async start(path: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'nestegg-chromium-'));
    const child = spawn(path, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    await once(child, 'spawn');
    return new Chromium(child, profile);
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    await this.send('Browser.close');
    await closed;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async open(size: { readonly width: number; readonly height: number }, dark = false): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(browserContextId));
    await page.prepare(size, dark);
    return page;
  }

  send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    this.#lastId += 1;
    const id = this.#lastId;
    const message = JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) });
    (this.#child.stdio[3] as Writable).write(`${message}\0`);
    return new Promise((give, fail) => this.#waiting.set(id, { give, fail }));
  }

  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  #take(message: Message): void {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) waiting?.fail(new Error(message.error.message));
    else waiting?.give(message.result ?? {});
  }
}

export class Page {
  /** Console errors, uncaught exceptions, refused by the policy, requests to another origin: nothing of it may happen. */
  readonly complaints: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;
  readonly #context: string;

  constructor(browser: Chromium, session: string, context: string) {
    this.#browser = browser;
    this.#session = session;
    this.#context = context;
    browser.listen((message) => {
      if (message.sessionId === session) this.#note(message);
    });
  }

  async prepare(size: { readonly width: number; readonly height: number }, dark: boolean): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#send(`${domain}.enable`);
    await this.#send('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: size.width < 600 });
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await this.#send('Emulation.setEmulatedMedia', { features });
  }

  async goto(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  /** The JSON value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value?: unknown }).value;
  }

  /** The visible text of the page, white space collapsed. */
  async text(): Promise<string> {
    return String(await this.evaluate('document.body.innerText')).replaceAll(/\s+/g, ' ');
  }

  async press(key: 'Tab' | 'Enter' | 'Escape'): Promise<void> {
    const codes = { Tab: 9, Enter: 13, Escape: 27 } as const;
    const event = { key, code: key, windowsVirtualKeyCode: codes[key], ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.#send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.#send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text });
  }

  /** PNG of the whole page. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    await this.#browser.send('Target.disposeBrowserContext', { browserContextId: this.#context });
  }

  #send(method: string, params?: Params): Promise<Params> {
    return this.#browser.send(method, params, this.#session);
  }

  #note({ method, params }: Message): void {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params));
    if (method === 'Log.entryAdded') {
      const { entry } = params as { readonly entry: { readonly level: string; readonly text: string } };
      if (entry.level === 'error') this.complaints.push(entry.text);
    }
    if (method === 'Runtime.consoleAPICalled' && params?.type === 'error') this.complaints.push(JSON.stringify(params));
    if (method === 'Network.requestWillBeSent') {
      const { request } = params as { readonly request: { readonly url: string } };
      if (!/^(http:\/\/127\.0\.0\.1:\d+\/|about:)/.test(request.url)) this.complaints.push(`request to ${request.url}`);
    }
  }
}
