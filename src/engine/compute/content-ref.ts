import { digest } from '../../core/ids.ts';
import { blake3 } from '../crypto/blake3.ts';
import type { BlobRef } from '../format/blob.ts';

/** What names this content in every repository (repository format, section 4), without storing it. */
export function contentRef(content: Uint8Array): BlobRef {
  return { digest: digest(blake3(content)), length: content.byteLength };
}
