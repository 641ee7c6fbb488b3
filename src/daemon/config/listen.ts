import type { Listen } from './config.ts';
import { listenHosts } from './unavailable.ts';

/** `127.0.0.1:8480`, `[::1]:8480`, `localhost:8480`, `unix:/path`, `/path`; `undefined` for anything else. */
export function parseListen(text: string): Listen | undefined {
  const [, path] = /^(?:unix:)?(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) return { type: 'unix', path };
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || !listenHosts.has(host) || Number(port) > 65535) return undefined;
  return { type: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
