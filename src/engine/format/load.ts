import { loadZstd } from '../compression/zstd.ts';
import { loadBlake3 } from '../crypto/blake3.ts';

/** Loads what the codecs of this folder compute with. Once per process or thread, before the first of them. */
export async function loadFormat(): Promise<void> {
  await Promise.all([loadZstd(), loadBlake3()]);
}
