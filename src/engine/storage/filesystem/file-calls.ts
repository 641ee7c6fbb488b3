import * as promises from 'node:fs/promises';
import type { BigIntStats, Dir, Stats } from 'node:fs';

/** What the filesystem store needs of an open file. */
export interface OpenFile {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  read(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  stat(): Promise<Stats>;
  /** fsync(2). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The system calls of the filesystem store: the seam through which tests prove their order, count them, kill the
 * process between two of them, and play a disk that is full or dying. Errors are Node system errors.
 */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Promise<OpenFile>;
  link(existing: string, path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  rmdir(path: string): Promise<void>;
  stat(path: string): Promise<BigIntStats>;
  lstat(path: string): Promise<Stats>;
  opendir(path: string): Promise<Dir>;
  realpath(path: string): Promise<string>;
  /** `f_type` of statfs(2). */
  filesystemType(path: string): Promise<number>;
}

export const systemFileCalls: FileCalls = {
  open: (path, flags, mode) => promises.open(path, flags, mode),
  link: (existing, path) => promises.link(existing, path),
  rename: (from, to) => promises.rename(from, to),
  unlink: (path) => promises.unlink(path),
  mkdir: (path, mode) => promises.mkdir(path, mode),
  rmdir: (path) => promises.rmdir(path),
  stat: (path) => promises.stat(path, { bigint: true }),
  lstat: (path) => promises.lstat(path),
  opendir: (path) => promises.opendir(path, { bufferSize: 256 }),
  realpath: (path) => promises.realpath(path),
  filesystemType: async (path) => (await promises.statfs(path)).type,
};
