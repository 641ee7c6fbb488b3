import { randomUUID } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of objects, by an id that is never used twice. */
export interface Blobs {
  write(bytes: Uint8Array): Promise<string>;
  /** Bytes `[start, end)` of a blob. */
  read(id: string, start: number, end: number): Promise<Buffer>;
  remove(id: string): Promise<void>;
}

export function memoryBlobs(): Blobs {
  const blobs = new Map<string, Buffer>();
  return {
    write: (bytes) => {
      const id = randomUUID();
      blobs.set(id, Buffer.from(bytes));
      return Promise.resolve(id);
    },
    read: (id, start, end) => {
      const blob = blobs.get(id);
      if (blob === undefined) return Promise.reject(new Error(`no blob ${id}`));
      return Promise.resolve(blob.subarray(start, end));
    },
    remove: (id) => {
      blobs.delete(id);
      return Promise.resolve();
    },
  };
}

export async function diskBlobs(directory: string): Promise<Blobs> {
  await mkdir(directory, { recursive: true });
  return {
    write: async (bytes) => {
      const id = randomUUID();
      await writeFile(join(directory, id), bytes);
      return id;
    },
    read: async (id, start, end) => {
      const file = await open(join(directory, id), 'r');
      try {
        const buffer = Buffer.alloc(end - start);
        const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, start);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
    remove: (id) => rm(join(directory, id), { force: true }),
  };
}
