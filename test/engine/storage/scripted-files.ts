import { constants } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { systemFileCalls, type FileCalls, type OpenFile } from '../../../src/engine/storage/filesystem/file-calls.ts';

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: played by the test`), { code });
}

/**
 * The real system calls, recorded as `<call> <path below the root>`, with temporary files as `<folder>/TEMP`. Calls
 * that only look (`stat`, `lstat`, `realpath`) are left out. What `play` throws, the call throws instead of happening.
 */
export class ScriptedFiles {
  readonly log: string[] = [];
  play: (line: string) => void = () => undefined;
  /** Changes what arrives on the disk. */
  store: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  /** The most that one write or read moves. */
  mostBytes = Infinity;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  calls(overrides: Partial<FileCalls> = {}): FileCalls {
    const real = systemFileCalls;
    return {
      ...real,
      open: async (path, flags, mode) => {
        const name = this.#name(path);
        this.#did((flags & constants.O_CREAT) === 0 ? `open ${name}` : `create ${name}`);
        return this.#file(await real.open(path, flags, mode), name);
      },
      link: (from, to) => this.#first(`link ${this.#name(from)} ${this.#name(to)}`, () => real.link(from, to)),
      rename: (from, to) => this.#first(`rename ${this.#name(from)} ${this.#name(to)}`, () => real.rename(from, to)),
      unlink: (path) => this.#first(`unlink ${this.#name(path)}`, () => real.unlink(path)),
      mkdir: (path, mode) => this.#first(`mkdir ${this.#name(path)}`, () => real.mkdir(path, mode)),
      rmdir: (path) => this.#first(`rmdir ${this.#name(path)}`, () => real.rmdir(path)),
      ...overrides,
    };
  }

  #file(file: OpenFile, name: string): OpenFile {
    return {
      write: (bytes, offset, length, position) =>
        this.#first(`write ${name}`, () => {
          const moved = Math.min(length, this.mostBytes);
          return file.write(this.store(bytes.slice(offset, offset + moved)), 0, moved, position);
        }),
      read: (bytes, offset, length, position) => file.read(bytes, offset, Math.min(length, this.mostBytes), position),
      stat: () => file.stat(),
      sync: () => this.#first(`sync ${name}`, () => file.sync()),
      close: () => file.close(),
    };
  }

  async #first<T>(line: string, work: () => Promise<T>): Promise<T> {
    this.#did(line);
    return work();
  }

  #did(line: string): void {
    this.log.push(line);
    this.play(line);
  }

  #name(path: string): string {
    const below = basename(path).endsWith('~') ? `${dirname(path)}/TEMP` : path;
    return relative(this.#root, below) || '/';
  }
}
