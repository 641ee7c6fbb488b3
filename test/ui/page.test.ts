import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { buildUi } from './support/build.ts';
import { Chromium, chromiumPath, type Page } from './support/chromium.ts';
import { PictureDaemon, token } from './support/daemon.ts';
import { calm, empty, full, runningTask, type Picture } from './support/fixtures.ts';

const wide = { width: 1280, height: 900 };
const narrow = { width: 390, height: 844 };
const patience = { timeout: 20_000, interval: 50 };

/** The built page in a real browser against the daemon's own HTTP server, with its policy and its guard. */
describe.skipIf(chromiumPath === undefined)('the status page', () => {
  let folder: string;
  let browser: Chromium;
  let daemon: PictureDaemon;
  let page: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nestegg-page-'));
    await buildUi(folder);
    browser = await Chromium.start(chromiumPath ?? '');
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    daemon = new PictureDaemon(folder, full(systemClock.now()));
    await daemon.start();
  });

  afterEach(async () => {
    await page.close();
    await daemon.stop();
  });

  const shows = (text: string | RegExp) => expect.poll(() => page.text(), patience).toMatch(text);

  async function open(picture: Picture, size = wide, dark = false): Promise<void> {
    daemon.picture = picture;
    page = await browser.open(size, dark);
    await page.goto(`${daemon.origin}/#token=${token}`);
    await shows(/Live/);
    await shows(/Last results/);
  }

  describe.each([
    ['wide, light', wide, false],
    ['wide, dark', wide, true],
    ['narrow, light', narrow, false],
    ['narrow, dark', narrow, true],
  ] as const)('%s', (_name, size, dark) => {
    it.each([
      ['everything at once', full, /Backup database failed/],
      ['all is well', calm, /All 4 backups are OK/],
      ['a new installation', empty, /No backups are configured.*Nothing is backed up yet/],
    ] as const)('%s: fits, and nothing is refused', async (_picture, picture, text) => {
      await open(picture(systemClock.now()), size, dark);
      await shows(text);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      expect(page.complaints).toEqual([]);
    });
  });

  it('asks for the token, says when it is wrong, and takes the right one from the keyboard alone', async () => {
    page = await browser.open(wide);
    await page.goto(daemon.origin);
    await shows(/Access token/);
    await page.press('Tab');
    await page.type('nestegg_wrong');
    await page.press('Enter');
    await shows(/does not accept this token/);
    await page.evaluate(`document.querySelector('input').focus()`);
    await page.evaluate(`document.querySelector('input').select()`);
    await page.type(token);
    await page.press('Enter');
    await shows(/Where your backups lie/);
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(1);
  });

  it('takes the token out of the address', async () => {
    await open(full(systemClock.now()));
    expect(await page.evaluate('location.href')).toBe(`${daemon.origin}/`);
  });

  it('shows what runs with its figures, what waits with the reason, and what ended with its problems', async () => {
    await open(full(systemClock.now()));
    const text = await page.text();
    expect(text).toContain('Upload 42 %');
    expect(text).toContain('18.2 of 42.6 GiB');
    expect(text).toContain('waits for Backup datacenter, which is using ovh');
    expect(text).toContain('Repository sia was paused by admin 5 minutes ago');
    expect(text).toContain('ovh: putting packs/3f/3fa8 at s3.gra.io.cloud.ovh.net failed: connection refused');
  });

  it('follows progress and results as they happen', async () => {
    const now = systemClock.now();
    await open(full(now));
    const task = runningTask(now);
    if (!task.progress) throw new Error('the fixture lacks progress');
    const { totalBytes: _, totalItems: __, ...rest } = task.progress;
    daemon.publish({ type: 'progress', id: task.id, progress: { ...rest, phase: 'verify', doneBytes: 3 * 2 ** 30 } });
    await shows(/Verify.*3\.00 GiB/);
    expect(await page.evaluate(`document.querySelector('[role=progressbar]').hasAttribute('aria-valuenow')`)).toBe(
      false,
    );
    daemon.picture = calm(now);
    daemon.publish({ type: 'status' });
    await shows(/All 4 backups are OK.*Nothing runs/);
    expect(page.complaints).toEqual([]);
  });

  it('opens the details of a backup from the keyboard, and closes them with Escape', async () => {
    await open(full(systemClock.now()));
    await page.evaluate(
      `[...document.querySelectorAll('button')].find((b) => b.innerText.includes('database')).focus()`,
    );
    await page.press('Enter');
    await shows(/Source pg_dump/);
    expect(await page.evaluate('document.activeElement.getAttribute("aria-expanded")')).toBe('true');
    await page.press('Escape');
    await shows(/Select a backup or a repository/);
  });

  it('says that it is stale when the daemon goes, keeps what it knew, and resumes where it stopped', async () => {
    const now = systemClock.now();
    await open(full(now));
    daemon.publish({ type: 'status' });
    await daemon.stop();
    await shows(/Stale since \d\d:\d\d.*This is a picture of the past/);
    await shows(/Backup database failed/);
    daemon.picture = calm(now);
    await daemon.start();
    await shows(/Live.*All 4 backups are OK/);
    expect(daemon.resumedFrom).toEqual([undefined, 'fixture-1']);
  });

  it('says that the daemon can not be read, instead of showing nothing', async () => {
    await open(full(systemClock.now()));
    await page.evaluate(`sessionStorage.setItem('nestegg.token', ${JSON.stringify(token)})`);
    daemon.broken = true;
    await page.goto(`${daemon.origin}/?again`);
    await shows(/The daemon could not be read\. Trying again/);
  });
});
