/**
 * How renterd packs: every full slab goes to hosts before PUT returns; the rest waits in a local buffer until that is
 * full, and may be split over two buffers. A buffer counts as full within 4,096 bytes of the slab size.
 */
export interface Slice {
  readonly slab: number;
  readonly offset: number;
  readonly length: number;
}

export interface Slab {
  readonly id: number;
  filledBytes: number;
  /** On hosts. Until then the slab is a file on the gateway. */
  uploaded: boolean;
}

const toleranceBytes = 4096;

export class SlabBuffers {
  readonly slabBytes: number;
  readonly #slabs = new Map<number, Slab>();
  #next = 1;

  constructor(slabBytes: number, slabs: readonly Slab[] = []) {
    this.slabBytes = slabBytes;
    for (const slab of slabs) {
      this.#slabs.set(slab.id, { ...slab });
      this.#next = Math.max(this.#next, slab.id + 1);
    }
  }

  /** Places an object of `sizeBytes`; `upload` false keeps full slabs pending (hosts cannot be reached). */
  place(sizeBytes: number, upload: boolean): readonly Slice[] {
    const slices: Slice[] = [];
    let left = sizeBytes;
    while (left >= this.slabBytes) {
      const slab = this.#add(this.slabBytes, upload);
      slices.push({ slab: slab.id, offset: 0, length: this.slabBytes });
      left -= this.slabBytes;
    }
    while (left > 0) {
      const buffer = this.#open() ?? this.#add(0, false);
      const length = Math.min(left, this.slabBytes - buffer.filledBytes);
      slices.push({ slab: buffer.id, offset: buffer.filledBytes, length });
      buffer.filledBytes += length;
      left -= length;
      if (upload && this.#isFull(buffer)) buffer.uploaded = true;
    }
    return slices;
  }

  /** Full buffers reach hosts once hosts can be reached again. */
  uploadFull(): void {
    for (const slab of this.#slabs.values()) if (this.#isFull(slab)) slab.uploaded = true;
  }

  isUploaded(slices: readonly Slice[]): boolean {
    return slices.every((slice) => this.#slabs.get(slice.slab)?.uploaded === true);
  }

  get(id: number): Slab | undefined {
    return this.#slabs.get(id);
  }

  all(): readonly Slab[] {
    return [...this.#slabs.values()];
  }

  buffers(): readonly Slab[] {
    return this.all().filter((slab) => !slab.uploaded);
  }

  isFull(slab: Slab): boolean {
    return this.#isFull(slab);
  }

  /** Forgets slabs that nothing refers to any more; an open buffer stays, with its hole. */
  keepOnly(used: ReadonlySet<number>): void {
    for (const [id, slab] of this.#slabs) if (slab.uploaded && !used.has(id)) this.#slabs.delete(id);
  }

  dropBuffers(): void {
    for (const slab of this.buffers()) this.#slabs.delete(slab.id);
  }

  #open(): Slab | undefined {
    return this.all().find((slab) => !slab.uploaded && !this.#isFull(slab));
  }

  #isFull(slab: Slab): boolean {
    return slab.filledBytes >= this.slabBytes - toleranceBytes;
  }

  #add(filledBytes: number, uploaded: boolean): Slab {
    const slab: Slab = { id: this.#next, filledBytes, uploaded };
    this.#next += 1;
    this.#slabs.set(slab.id, slab);
    return slab;
  }
}
