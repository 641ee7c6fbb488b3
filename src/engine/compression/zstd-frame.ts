/**
 * Where the frames of a zstd stream lie and how much they can decode to, read from headers alone (RFC 8878,
 * section 3.1). It makes the bound on the output ours, before any implementation allocates, and equal for all of them.
 */
import { BinaryReader, DecodeError } from '../../core/binary.ts';

export interface ZstdFrame {
  readonly bytes: Uint8Array;
  /** What the frame says that it decodes to, if it says so. */
  readonly contentBytes: number | undefined;
  /** Never less than what the frame decodes to. */
  readonly mostBytes: number;
}

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const largestBlockBytes = 128 * 1024;

/**
 * The content frames of the stream; skippable ones are passed over.
 * @throws DecodeError for anything that is not a whole number of frames.
 */
export function zstdFrames(stream: Uint8Array): readonly ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  const reader = new BinaryReader(stream);
  while (reader.remaining > 0) {
    const start = reader.position;
    const magic = reader.u32();
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      reader.view(reader.u32());
      continue;
    }
    if (magic !== frameMagic) throw new DecodeError('not a zstd frame');
    const sizes = passFrame(reader);
    frames.push({ bytes: stream.subarray(start, reader.position), ...sizes });
  }
  return frames;
}

/** Reads on to the end of a frame whose magic has been read. */
function passFrame(reader: BinaryReader): Omit<ZstdFrame, 'bytes'> {
  const descriptor = reader.u8();
  if ((descriptor & 0x08) !== 0) throw new DecodeError('reserved bit set in a zstd frame');
  const singleSegment = (descriptor & 0x20) !== 0;
  if (!singleSegment) reader.u8();
  reader.view([0, 1, 2, 4][descriptor & 3] ?? 0);
  const contentBytes = readContentSize(reader, descriptor >>> 6, singleSegment);
  const blocks = passBlocks(reader);
  if ((descriptor & 0x04) !== 0) reader.u32();
  if ((contentBytes ?? 0) > blocks) throw new DecodeError('a zstd frame claims more content than its blocks can hold');
  return { contentBytes, mostBytes: contentBytes ?? blocks };
}

function readContentSize(reader: BinaryReader, flag: number, singleSegment: boolean): number | undefined {
  switch (flag) {
    case 0:
      return singleSegment ? reader.u8() : undefined;
    case 1:
      return reader.u16() + 256;
    case 2:
      return reader.u32();
    default:
      return reader.u64();
  }
}

function passBlocks(reader: BinaryReader): number {
  let most = 0;
  for (;;) {
    const header = reader.u16() | (reader.u8() << 16);
    const size = header >>> 3;
    if (size > largestBlockBytes) throw new DecodeError('a zstd block is too large');
    switch ((header >>> 1) & 3) {
      case 0:
        reader.view(size);
        most += size;
        break;
      case 1:
        reader.u8();
        most += size;
        break;
      case 2:
        reader.view(size);
        most += largestBlockBytes;
        break;
      default:
        throw new DecodeError('a zstd block has the reserved type');
    }
    if ((header & 1) === 1) return most;
  }
}
