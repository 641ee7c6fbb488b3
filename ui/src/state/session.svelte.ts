/** Who is signed in: one token per tab, and the live picture it opens. */
import { takeTokenFromAddress, tokenStore } from './browser.ts';
import { Live } from './live.svelte.ts';

export class Session {
  live = $state.raw<Live | undefined>();
  /** The last token was not accepted. */
  refused = $state(false);
  #abort = new AbortController();

  constructor() {
    const token = takeTokenFromAddress() ?? tokenStore.read();
    if (token !== undefined) this.signIn(token);
  }

  signIn(token: string): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.refused = false;
    tokenStore.write(token);
    this.live = new Live(token, () => {
      this.signOut();
      this.refused = true;
    });
    void this.live.run(this.#abort.signal);
  }

  signOut(): void {
    this.#abort.abort();
    tokenStore.clear();
    this.live = undefined;
    this.refused = false;
  }
}
