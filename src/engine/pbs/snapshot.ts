/** One snapshot folder: what is in it now, and its files read and proven against the manifest. */
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { equalBytes } from '../../core/bytes.ts';
import { CorruptionError, SourceError } from '../../core/errors.ts';
import { maxIndexBytes } from './chunk-index.ts';
import { maxBlobBytes } from './data-blob.ts';
import { DynamicIndex } from './dynamic-index.ts';
import { FixedIndex } from './fixed-index.ts';
import { archiveKind, clientLogFile, formatTime, manifestFile, protectedFile, type SnapshotName } from './layout.ts';
import { checkManifestPlace, decodeManifest, type Manifest, type ManifestFile } from './manifest.ts';
import { readFolder, readWhole } from './source-files.ts';

export interface LoadedManifest {
  readonly manifest: Manifest;
  /** The file, byte for byte. */
  readonly blob: Uint8Array;
}

/** A value of one moment: another listing gives another one. The read methods read what is there when they are called. */
export interface Snapshot extends SnapshotName {
  /** Absolute path of its folder, which is named by the time. */
  readonly directory: string;
  /** Files that PBS counts as parts: regular, with the name of an index or blob; sorted. */
  readonly files: readonly string[];
  /** The manifest is there. While PBS is writing, the snapshot lock is held too. */
  readonly finished: boolean;
  readonly protected: boolean;
  readonly hasClientLog: boolean;

  /** @throws SourceError: `source.changed` when the manifest is gone, `pbs.format` or `source.corrupt` when it is bad. */
  readManifest(): Promise<LoadedManifest>;
  /** An index, equal in size and checksum to what the manifest says. @throws SourceError, as `readManifest`. */
  readIndex(file: ManifestFile): Promise<FixedIndex | DynamicIndex>;
  /** A blob file as it is, equal in size and checksum to what the manifest says. @throws SourceError, as `readManifest`. */
  readBlob(file: ManifestFile): Promise<Uint8Array>;
  /** The client log, which no manifest covers; undefined when there is none. @throws SourceError. */
  readClientLog(): Promise<Uint8Array | undefined>;
}

/** The snapshot in `directory`; undefined when there is no such folder. @throws SourceError. */
export async function loadSnapshot(name: SnapshotName, directory: string): Promise<Snapshot | undefined> {
  const entries = await readFolder(directory);
  if (!entries) return undefined;
  return new FolderSnapshot(
    name,
    directory,
    entries.filter((entry) => entry.isFile()).map((entry) => entry.name),
  );
}

class FolderSnapshot implements Snapshot {
  readonly namespace: string;
  readonly type: SnapshotName['type'];
  readonly id: string;
  readonly timeSeconds: number;
  readonly directory: string;
  readonly files: readonly string[];
  readonly protected: boolean;

  constructor(name: SnapshotName, directory: string, names: readonly string[]) {
    this.namespace = name.namespace;
    this.type = name.type;
    this.id = name.id;
    this.timeSeconds = name.timeSeconds;
    this.directory = directory;
    this.files = names.filter((file) => archiveKind(file) !== undefined);
    this.protected = names.includes(protectedFile);
  }

  get finished(): boolean {
    return this.files.includes(manifestFile);
  }

  get hasClientLog(): boolean {
    return this.files.includes(clientLogFile);
  }

  async readManifest(): Promise<LoadedManifest> {
    const blob = await this.#read(manifestFile, maxBlobBytes);
    return this.#about(manifestFile, () => {
      const manifest = decodeManifest(blob);
      checkManifestPlace(manifest, this);
      return { manifest, blob };
    });
  }

  async readIndex(file: ManifestFile): Promise<FixedIndex | DynamicIndex> {
    const bytes = await this.#read(file.name, maxIndexBytes);
    return this.#about(file.name, () => {
      const index = file.kind === 'fixed' ? new FixedIndex(bytes) : new DynamicIndex(bytes);
      this.#compare(file, index.size, index.checksum);
      return index;
    });
  }

  async readBlob(file: ManifestFile): Promise<Uint8Array> {
    const bytes = await this.#read(file.name, maxBlobBytes);
    this.#about(file.name, () => {
      this.#compare(file, bytes.byteLength, createHash('sha256').update(bytes).digest());
    });
    return bytes;
  }

  async readClientLog(): Promise<Uint8Array | undefined> {
    return readWhole(join(this.directory, clientLogFile), maxBlobBytes);
  }

  async #read(name: string, maxBytes: number): Promise<Uint8Array> {
    const path = join(this.directory, name);
    const bytes = await readWhole(path, maxBytes);
    if (bytes) return bytes;
    throw new SourceError('source.changed', `${path} is not there any more`, {
      context: { path },
      hint: 'PBS may have pruned the snapshot meanwhile.',
    });
  }

  #compare(file: ManifestFile, size: number, checksum: Uint8Array): void {
    if (size !== file.size) {
      throw new CorruptionError(`the manifest says ${String(file.size)} bytes, the file has ${String(size)}`, {
        code: 'source.corrupt',
      });
    }
    if (!equalBytes(checksum, file.checksum)) {
      throw new CorruptionError('its checksum is not the one in the manifest', { code: 'source.corrupt' });
    }
  }

  /** A decoder knows no file names: says whose bytes were bad. */
  #about<T>(name: string, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const path = join(this.directory, name);
      throw new SourceError(
        error.code === 'pbs.format' ? 'pbs.format' : 'source.corrupt',
        `${path}: ${error.message}`,
        {
          cause: error,
          context: { path, snapshot: formatTime(this.timeSeconds) },
        },
      );
    }
  }
}
