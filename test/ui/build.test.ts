import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildUi } from './support/build.ts';

let folder: string;
let files: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nestegg-ui-'));
  await buildUi(folder);
  files = (await readdir(folder, { recursive: true })).filter((name) => /\.\w+$/.test(name));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (name: string) => readFile(join(folder, name));
const sizeOf = async (ending: string) => {
  const bytes = await Promise.all(files.filter((name) => name.endsWith(ending)).map(read));
  return bytes.reduce((sum, { byteLength }) => sum + byteLength, 0);
};

describe('the built page', () => {
  it('has no inline script, no inline style and no data: address, as its policy demands', async () => {
    const html = String(await read('index.html'));
    expect(html).not.toMatch(/<style|style=|\son\w+=|javascript:|data:/);
    expect(html.match(/<script[^>]*>/g)).toEqual([expect.stringContaining(' src="/assets/')]);
    for (const name of files.filter((file) => file.endsWith('.css')))
      expect(String(await read(name))).not.toContain('url(');
  });

  it('keeps within its budget: 90 KiB of script and 20 KiB of style, compressed', async () => {
    expect(await sizeOf('.js.gz')).toBeLessThan(90 * 1024);
    expect(await sizeOf('.js.br')).toBeLessThan(80 * 1024);
    expect(await sizeOf('.css.gz')).toBeLessThan(20 * 1024);
  });

  it('is compressed beforehand, with the same content', async () => {
    const plain = files.filter((name) => /\.(html|js|css|svg)$/.test(name));
    expect(plain.length).toBeGreaterThanOrEqual(4);
    for (const name of plain) {
      const bytes = await read(name);
      expect(bytes.equals(gunzipSync(await read(`${name}.gz`)))).toBe(true);
      expect(bytes.equals(brotliDecompressSync(await read(`${name}.br`)))).toBe(true);
    }
  });
});
