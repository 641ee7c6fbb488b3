/** Cuts known secret texts out of what is written, also where a program or a library has put them. */

/** Shorter ones would cut ordinary words to pieces. */
const shortest = 8;

export class Scrubber {
  #pattern: RegExp | undefined;
  #known: ReadonlySet<string> = new Set();

  /** Adds to the known secrets. */
  learn(secrets: Iterable<string>): void {
    const texts = new Set(this.#known);
    for (const secret of secrets) {
      if (secret.length < shortest) continue;
      texts.add(secret);
      // As it stands within a JSON string, and within a URL.
      texts.add(JSON.stringify(secret).slice(1, -1));
      texts.add(encodeURIComponent(secret));
    }
    this.#known = texts;
    const longestFirst = [...texts].sort((a, b) => b.length - a.length).map(escapeForPattern);
    this.#pattern = longestFirst.length === 0 ? undefined : new RegExp(longestFirst.join('|'), 'g');
  }

  scrub(text: string): string {
    return this.#pattern === undefined ? text : text.replace(this.#pattern, '[secret]');
  }

  /** The same for every text within a JSON value. */
  scrubValue<Value>(value: Value): Value {
    if (this.#pattern === undefined) return value;
    return JSON.parse(this.scrub(JSON.stringify(value))) as Value;
  }
}

function escapeForPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
