import type { Clock } from '../../../src/core/clock.ts';

/** One passing failure. Bytes are positions in the response body. */
export type Fault =
  /** Answers with an error and does nothing. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly code: string;
      readonly retryAfterSeconds?: number;
    }
  /** Does the work, then answers 500: the client cannot know. */
  | { readonly kind: 'fail-after-commit' }
  /** Does the work, then drops the connection without an answer. */
  | { readonly kind: 'reset-after-commit' }
  /** Drops the connection without doing anything. */
  | { readonly kind: 'reset' }
  /** Sends this much of the body, then drops the connection. */
  | { readonly kind: 'cut'; readonly atByte: number }
  /** Sends this much of the body, then nothing more, with the connection open. `atByte` -1: no answer at all. */
  | { readonly kind: 'stall'; readonly atByte: number }
  /** Announces no length, sends this much and ends: looks complete. */
  | { readonly kind: 'truncate'; readonly atByte: number }
  | { readonly kind: 'corrupt'; readonly atByte: number }
  /** Answers 200 to a PUT and stores nothing. */
  | { readonly kind: 'lose' }
  /** A listing without its newest objects. */
  | { readonly kind: 'stale-list'; readonly missing: number };

export interface FaultScript {
  readonly fault: Fault;
  /** S3 operation name; any when left out. */
  readonly operation?: string | undefined;
  /** Only keys that contain this text. */
  readonly key?: string | undefined;
  /** Strikes this often, then never again. Default: 1, or without end when `every` is given. */
  readonly times?: number | undefined;
  /** Strikes every n-th matching request only. */
  readonly every?: number | undefined;
  /** Lets this many matching requests pass first. */
  readonly after?: number | undefined;
}

interface Armed {
  readonly script: FaultScript;
  seen: number;
  struck: number;
}

/** The scripted faults of one gateway, in order; the first that matches strikes. */
export class Faults {
  readonly #clock: Clock;
  #armed: Armed[] = [];
  /** Added to the gateway's clock: in its `Date` header and in its check of signatures. */
  clockOffsetMs = 0;

  constructor(clock: Clock, standing: readonly FaultScript[] = []) {
    this.#clock = clock;
    for (const script of standing) this.add(script);
  }

  /** Returns a function that tells how often this fault has struck. */
  add(script: FaultScript): () => number {
    const armed: Armed = { script, seen: 0, struck: 0 };
    this.#armed.push(armed);
    return () => armed.struck;
  }

  clear(): void {
    this.#armed = [];
    this.clockOffsetMs = 0;
  }

  /** The gateway's own wall clock, in milliseconds. */
  now(): number {
    return this.#clock.now() + this.clockOffsetMs;
  }

  take(operation: string, key: string): Fault | undefined {
    let chosen: Armed | undefined;
    for (const armed of this.#armed) {
      if (!matches(armed.script, operation, key)) continue;
      armed.seen += 1;
      if (chosen === undefined && due(armed)) chosen = armed;
    }
    if (chosen === undefined) return undefined;
    chosen.struck += 1;
    return chosen.script.fault;
  }
}

function matches(script: FaultScript, operation: string, key: string): boolean {
  if (script.operation !== undefined && script.operation !== operation) return false;
  return script.key === undefined || key.includes(script.key);
}

function due(armed: Armed): boolean {
  const { after = 0, every = 1, times = armed.script.every === undefined ? 1 : Infinity } = armed.script;
  return armed.struck < times && armed.seen > after && (armed.seen - after) % every === 0;
}
