import { inspect } from 'node:util';

/**
 * A secret text that cannot be printed: JSON, string conversion and inspection all show `[secret]`.
 * `reveal` is the only way to the value; call it as late as possible.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
