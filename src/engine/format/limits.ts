/** The limits of repository format 1, section 2, "Limits": each is checked before anything is allocated. */
const kiB = 1024;
const miB = 1024 * kiB;

export const limits = {
  plainBlobBytes: 16 * miB + 64 * kiB,
  packBytes: 256 * miB,
  blobsInPack: 2 ** 20,
  entryObjectBytes: 64 * kiB,
  /** Of the object, and of its content after decoding. */
  segmentBytes: 64 * miB,
  /** Of the object, and of its content after decoding. */
  checkpointBytes: 256 * miB,
  keySlotBytes: 64 * kiB,
  listDepth: 8,
  recordNameBytes: 4096,
} as const;
