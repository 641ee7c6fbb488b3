import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { node } from '../../src/cli/doctor/machine.ts';
import { makePlace, password, type Place } from './cli.fixture.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  await place.remove();
});

async function findings(): Promise<{ readonly code: number; readonly of: (what: string) => Finding | undefined }> {
  const { code, out } = await place.run(['--json', 'doctor']);
  const all = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
  for (const { what, measured, threshold, verdict, advice } of all) {
    expect([what, measured, threshold].every((text) => text.length > 0 && !text.includes('\n'))).toBe(true);
    expect([what, advice === '']).toEqual([what, verdict === 'ok']);
  }
  return { code, of: (what) => all.find((finding) => finding.what === what) };
}

async function sound(): Promise<void> {
  await mkdir(join(place.folder, 'datastore', '.chunks'), { recursive: true });
  for (const name of ['nas', 'disk']) {
    expect((await place.run(['--repository', name, 'repository', 'init'])).code).toBe(0);
  }
}

describe('doctor', () => {
  it('finds everything well, and that no daemon runs, where all is as it should be', async () => {
    await sound();
    const { code, of } = await findings();
    expect(code).toBe(0);
    expect(of('configuration')).toMatchObject({ measured: place.config, verdict: 'ok' });
    expect(of('repository nas')).toMatchObject({ verdict: 'ok', threshold: 'opens' });
    expect(of('clock of disk')).toMatchObject({ verdict: 'ok', threshold: 'at most 5m' });
    expect(of(`datastore ${join(place.folder, 'datastore')}`)).toMatchObject({ verdict: 'ok', threshold: 'readable' });
    expect(of('daemon')).toMatchObject({ verdict: 'fair', measured: 'does not answer' });
  });

  it('says what to do about each thing that is wrong, and goes on to the next', async () => {
    await sound();
    await chmod(place.state, 0o755);
    await writeFile(join(place.folder, 'password'), 'another one');
    const { code, of } = await findings();
    expect(code).toBe(1);
    expect(of('state directory')).toMatchObject({
      verdict: 'bad',
      threshold: 'mode 700',
      advice: `chmod 700 ${place.state}`,
    });
    expect(of('repository nas')).toMatchObject({
      verdict: 'bad',
      measured: expect.stringContaining('key slot') as string,
    });
    expect(of('repository disk')?.verdict).toBe('bad');
  });

  it('tells a missing datastore and a missing repository', async () => {
    const { code, of } = await findings();
    expect(code).toBe(1);
    const datastore = of(`datastore ${join(place.folder, 'datastore')}`);
    expect(datastore).toMatchObject({ verdict: 'bad', advice: 'Run as `backup` or root, and check the path.' });
    expect(of('repository nas')?.verdict).toBe('bad');
    expect(of('state directory')).toMatchObject({ verdict: 'ok' });
  });

  it('stops at a configuration with errors, in one line and without secrets', async () => {
    await writeFile(place.config, 'bakups: {}\n');
    const { code, of } = await findings();
    expect(code).toBe(1);
    expect(of('configuration')).toMatchObject({
      verdict: 'bad',
      measured: expect.stringContaining('bakups') as string,
    });
    expect(of('daemon')).toBeUndefined();
    const shown = await place.run(['doctor']);
    expect(shown.out.split('\n')[0]).toMatch(/^WHAT +MEASURED +THRESHOLD +VERDICT +WHAT TO DO$/);
    expect(shown.out).not.toContain(password);
  });

  it.each([
    ['20.19.5', 'bad'],
    ['20.20.0', 'ok'],
    ['22.0.0', 'ok'],
    ['18.99.0', 'bad'],
  ])('holds Node %s for %s', (version, verdict) => {
    expect(node(version)).toMatchObject({ measured: version, verdict });
  });
});
