/**
 * When the gateway was last told to push everything out, in milliseconds of the gateway's clock. Kept beyond one
 * process, so that "at most every six hours" holds for tasks that run in processes of their own.
 */
export interface FlushMemory {
  /** When the newest successful flush began; `undefined` when none is known. */
  read(): Promise<number | undefined>;
  write(beganMs: number): Promise<void>;
}

/** Forgotten with the process. */
export function processFlushMemory(): FlushMemory {
  let last: number | undefined;
  return {
    read: () => Promise.resolve(last),
    write: (beganMs) => {
      last = beganMs;
      return Promise.resolve();
    },
  };
}
