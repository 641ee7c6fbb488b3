import { nodeDriver } from './driver-node.ts';
import type { SqliteDriver } from './driver.ts';

/** `node:sqlite` where this Node has it, else the WebAssembly build: docs/adr/0010-sqlite-driver.md. */
export async function chooseDriver(): Promise<SqliteDriver> {
  // The WebAssembly is loaded only where it is needed.
  return nodeDriver() ?? (await import('./driver-wasm.ts')).wasmDriver;
}
