/**
 * # Compression: zstd, and the decision whether it pays
 *
 * Pure transforms. A *frame* is a zstd frame (RFC 8878); a *content* is what it decodes to.
 *
 * Invariants: decoding never gives more bytes than the caller allowed, and checks that before it allocates; all
 * implementations decode the same frames to the same bytes.
 */
import { concatBytes } from '../../core/bytes.ts';
import { DecodeError } from '../../core/binary.ts';
import { CorruptionError, decoding, messageOf, NesteggError } from '../../core/errors.ts';
import { zstdMakers, type ZstdCodec, type ZstdImplementation } from './zstd-codecs.ts';
import { zstdFrames, type ZstdFrame } from './zstd-frame.ts';

let loaded: { readonly name: ZstdImplementation; readonly codec: ZstdCodec } | undefined;

/**
 * Chooses the implementation: Node's own, else the native package, else WebAssembly. To be awaited once before
 * anything here is used; a process-wide choice, because the functions are synchronous.
 * @param force for tests: this implementation or none.
 * @throws NesteggError `internal` when none is installed.
 */
export async function loadZstd(force?: ZstdImplementation): Promise<void> {
  if (loaded !== undefined && force === undefined) return;
  const names: readonly ZstdImplementation[] = force === undefined ? ['zlib', 'native', 'wasm'] : [force];
  for (const name of names) {
    const codec = await zstdMakers[name]();
    if (codec === undefined) continue;
    loaded = { name, codec };
    return;
  }
  throw new NesteggError('internal', `no implementation of zstd is installed (tried ${names.join(', ')})`, {
    hint: 'Reinstall the packages of Nestegg.',
  });
}

export function zstdImplementation(): ZstdImplementation {
  return state().name;
}

/** One frame of the bytes, in memory of its own. `level` 1 to 19. */
export function zstdCompress(bytes: Uint8Array, level: number): Uint8Array {
  return state().codec.compress(bytes, level);
}

/**
 * The content of a stream of frames (with or without content size), in memory of its own.
 * @throws CorruptionError when the stream is damaged or would decode to more than `maxLength` bytes.
 */
export function zstdDecompress(bytes: Uint8Array, maxLength: number): Uint8Array {
  const { codec } = state();
  return decoding('compressed content', () => {
    const frames = zstdFrames(bytes);
    if (frames.length === 0) throw new DecodeError('no zstd frame in it');
    const parts: Uint8Array[] = [];
    let left = maxLength;
    for (const frame of frames) {
      const part = decompressFrame(codec, frame, left);
      left -= part.byteLength;
      parts.push(part);
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : concatBytes(...parts);
  });
}

function decompressFrame(codec: ZstdCodec, frame: ZstdFrame, left: number): Uint8Array {
  if ((frame.contentBytes ?? 0) > left) throw new DecodeError('it says that it decodes to more bytes than it may');
  const content = attempt(() => codec.decompressFrame(frame.bytes, Math.min(frame.mostBytes, left)));
  if (content.byteLength > left) throw new DecodeError('decodes to more bytes than it may');
  return content;
}

/** Implementations throw errors of their own kinds; to us all of them mean damaged input. */
function attempt(decompress: () => Uint8Array): Uint8Array {
  try {
    return decompress();
  } catch (error) {
    throw new CorruptionError(`compressed content is damaged or longer than allowed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function state(): { readonly name: ZstdImplementation; readonly codec: ZstdCodec } {
  if (loaded === undefined) throw new NesteggError('internal', 'zstd was used before loadZstd() had finished');
  return loaded;
}
