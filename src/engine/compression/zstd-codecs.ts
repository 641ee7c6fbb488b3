/**
 * The implementations of zstd, one maker each; `undefined` where it is not installed. Compressed bytes may differ
 * between them (library versions do), decoded bytes never.
 */
import * as zlib from 'node:zlib';
import { asBuffer } from '../../core/bytes.ts';

export interface ZstdCodec {
  /** One frame, in memory of its own. */
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /** Decodes one frame to at most `mostBytes`, in memory of its own; throws anything when that is impossible. */
  decompressFrame(frame: Uint8Array, mostBytes: number): Uint8Array;
}

export type ZstdImplementation = 'zlib' | 'native' | 'wasm';

/** The part of `node:zlib` that Node 22.15 added. */
interface ZlibZstd {
  readonly zstdCompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly zstdDecompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

/** In the order of preference. */
export const zstdMakers: Readonly<Record<ZstdImplementation, () => Promise<ZstdCodec | undefined>>> = {
  zlib: () => Promise.resolve(zlibCodec(zlib)),
  native: nativeCodec,
  wasm: wasmCodec,
};

/** @param candidate `node:zlib`; a parameter so that tests reach this code on a Node without zstd. */
export function zlibCodec(candidate: object): ZstdCodec | undefined {
  if (!hasZstd(candidate)) return undefined;
  const { zstdCompressSync, zstdDecompressSync, constants } = candidate;
  return {
    compress: (bytes, level) =>
      own(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })),
    decompressFrame: (frame, mostBytes) => own(zstdDecompressSync(frame, { maxOutputLength: Math.max(1, mostBytes) })),
  };
}

function hasZstd(candidate: object): candidate is ZlibZstd {
  return 'zstdCompressSync' in candidate && 'zstdDecompressSync' in candidate;
}

async function nativeCodec(): Promise<ZstdCodec | undefined> {
  const binding = await optional(() => import('zstd-napi/binding.js'));
  if (binding === undefined) return undefined;
  const { CCtx, DCtx, compressBound } = binding.default;
  const compressor = new CCtx();
  const decompressor = new DCtx();
  let scratch = new Uint8Array(0);
  return {
    compress(bytes, level) {
      const bound = compressBound(bytes.byteLength);
      if (scratch.byteLength < bound) scratch = new Uint8Array(bound);
      return scratch.slice(0, compressor.compress(scratch, bytes, level));
    },
    decompressFrame(frame, mostBytes) {
      // Not zeroed: only what the decoder wrote leaves this function.
      const target = Buffer.allocUnsafeSlow(mostBytes);
      const length = decompressor.decompress(target, frame);
      return length === mostBytes ? own(target) : new Uint8Array(target.subarray(0, length));
    },
  };
}

async function wasmCodec(): Promise<ZstdCodec | undefined> {
  const module = await optional(() => import('@bokuweb/zstd-wasm'));
  if (module === undefined) return undefined;
  const { init, compress, decompress } = module;
  await init();
  return {
    compress: (bytes, level) => compress(asBuffer(bytes), level),
    decompressFrame: (frame, mostBytes) => decompress(asBuffer(frame), { defaultHeapSize: mostBytes }),
  };
}

async function optional<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch {
    return undefined;
  }
}

function own(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
