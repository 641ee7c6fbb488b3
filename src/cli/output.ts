/** Printing: lines and tables for people, one JSON object a line for programs. */
import type { GlobalOptions, TextSink, World } from './world.ts';

/** Names come from repositories and file systems: control characters would steer the terminal. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{FFFD}');
}

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'right';
  readonly value: (row: Row) => string;
}

export class Output {
  readonly json: boolean;
  readonly #out: TextSink;
  readonly #err: TextSink;

  constructor(world: Pick<World, 'stdout' | 'stderr'>, options: Pick<GlobalOptions, 'json'>) {
    this.json = options.json;
    this.#out = world.stdout;
    this.#err = world.stderr;
  }

  /** One line for people; nothing with `--json`. */
  line(text = ''): void {
    if (!this.json) this.#out.write(`${plain(text)}\n`);
  }

  /** One object for programs; nothing without `--json`. */
  object(value: unknown): void {
    if (this.json) this.#out.write(`${JSON.stringify(value)}\n`);
  }

  /** Text that is the result itself (a schema, a kit), in both modes. */
  raw(text: string): void {
    this.#out.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** For people, beside the result. */
  note(text: string): void {
    if (!this.json) this.#err.write(`${plain(text)}\n`);
  }

  /** Rows as a table for people, as objects for programs. */
  rows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], none: string): void {
    for (const row of rows) this.object(row);
    if (rows.length === 0) this.line(none);
    else for (const line of table(rows, columns)) this.line(line);
  }
}

function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): readonly string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => plain(value(row)))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => (line[at] ?? '').length)));
  return cells.map((line) =>
    line
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
