import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Slab, Slice } from './slab-buffers.ts';

export interface StoredObject {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** MD5, hex. */
  readonly etag: string;
  readonly modifiedMs: number;
  readonly contentType: string;
  readonly blob: string;
  /** renterd: where its bytes lie. */
  readonly slices: readonly Slice[];
  /** s3d: its bytes are on hosts. */
  uploaded: boolean;
}

export interface CatalogueState {
  readonly buckets: readonly string[];
  readonly slabs: readonly Slab[];
}

/** Where the gateway remembers its objects. All calls are synchronous, so that a commit is one step for everybody. */
export interface Catalogue {
  load(): { readonly objects: readonly StoredObject[]; readonly state: CatalogueState };
  save(object: StoredObject): void;
  remove(object: StoredObject): void;
  saveState(state: CatalogueState): void;
}

export const noCatalogue: Catalogue = {
  load: () => ({ objects: [], state: { buckets: [], slabs: [] } }),
  save: () => undefined,
  remove: () => undefined,
  saveState: () => undefined,
};

/** One JSON file per object, replaced by rename. */
export function diskCatalogue(directory: string): Catalogue {
  const folder = join(directory, 'objects');
  const statePath = join(directory, 'state.json');
  mkdirSync(folder, { recursive: true });
  const pathOf = (object: StoredObject): string =>
    join(folder, `${createHash('sha256').update(`${object.bucket}\0${object.key}`).digest('hex')}.json`);
  return {
    load: () => ({
      objects: readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as StoredObject),
      state: existsSync(statePath)
        ? (JSON.parse(readFileSync(statePath, 'utf8')) as CatalogueState)
        : { buckets: [], slabs: [] },
    }),
    save: (object) => {
      replace(pathOf(object), object);
    },
    remove: (object) => {
      rmSync(pathOf(object), { force: true });
    },
    saveState: (state) => {
      replace(statePath, state);
    },
  };
}

function replace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}
