/** The browser's clock, timers and storage: the one place of the UI that touches them. */

export function nowMs(): number {
  return Date.now();
}

/** Calls `work` every `ms` until the returned function is called. */
export function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  return () => clearInterval(timer);
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

const key = 'nestegg.token';

/** The token lives as long as the tab, and never in a cookie or an address. */
export const tokenStore = {
  read: () => sessionStorage.getItem(key) ?? undefined,
  write: (token: string) => sessionStorage.setItem(key, token),
  clear: () => sessionStorage.removeItem(key),
};

/**
 * A token handed over in the fragment (`#token=…`), which a browser never sends to the server. It is taken out of the
 * address and the history at once.
 */
export function takeTokenFromAddress(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
  if (token !== undefined) history.replaceState(null, '', location.pathname);
  return token;
}
