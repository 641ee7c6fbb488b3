/** What the demo prints: one line for each step, with a clock that runs on a terminal, and the table at the end. */
import type { Clock } from '../../src/core/clock.ts';
import { formatDuration } from '../../src/core/units.ts';

export interface StepResult {
  /** What happened, for the line of the step. */
  readonly what: string;
  /** The same for the table. */
  readonly brief: string;
  /** What was written, stored, restored or compared. */
  readonly size?: string;
}

export interface StepRow extends StepResult {
  readonly step: string;
  readonly tookMs: number;
}

/** Shows, while a step runs, how far it is; on a terminal only. */
export type Tell = (text: string) => void;

const drawMs = 100;
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export class Steps {
  readonly rows: StepRow[] = [];
  readonly #clock: Clock;
  readonly #out: NodeJS.WriteStream;

  constructor(clock: Clock, out: NodeJS.WriteStream) {
    this.#clock = clock;
    this.#out = out;
  }

  async run(step: string, work: (tell: Tell) => Promise<StepResult>): Promise<void> {
    const started = this.#clock.monotonic();
    const over = new AbortController();
    let text = '';
    const elapsed = (): number => this.#clock.monotonic() - started;
    const drawing = this.#draw(() => `${step}  ${formatDuration(elapsed())}  ${text}`, over.signal);
    const stop = async (): Promise<void> => {
      over.abort();
      await drawing;
    };
    try {
      const result = await work((now) => (text = now));
      await stop();
      this.rows.push({ step, ...result, tookMs: elapsed() });
      this.#ended(step, result.what, elapsed());
    } catch (error) {
      await stop();
      this.line(this.#out.isTTY ? `${this.#color(31, '  ✗ ')}${step}` : `FAILED ${step}`);
      throw error;
    }
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`);
  }

  heading(text: string): void {
    this.line(this.#out.isTTY ? `\n\u{1B}[1m${text}\u{1B}[0m` : `\n${text}`);
  }

  #ended(step: string, what: string, tookMs: number): void {
    const took = formatDuration(tookMs);
    if (!this.#out.isTTY) this.line(`ok   ${step}: ${what} (${took})`);
    else this.line(`${this.#color(32, '  ✓ ')}${step}${this.#dim(` ${took}`)}\n    ${this.#dim(what)}`);
  }

  async #draw(text: () => string, over: AbortSignal): Promise<void> {
    if (!this.#out.isTTY) return;
    for (let frame = 0; !over.aborted; frame++) {
      const line = `  ${frames[frame % frames.length] ?? ''} ${text()}`;
      this.#out.write(`\r\u{1B}[2K${line.slice(0, this.#out.columns - 1)}`);
      await this.#clock.sleep(drawMs, { signal: over }).catch(() => undefined);
    }
    this.#out.write('\r\u{1B}[2K');
  }

  #dim(text: string): string {
    return this.#color(2, text);
  }

  #color(code: number, text: string): string {
    return this.#out.isTTY ? `\u{1B}[${String(code)}m${text}\u{1B}[0m` : text;
  }
}

export function table(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
