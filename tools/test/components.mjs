/** Real components that some suites need. Debian has all of them; where apt-get may be used they are installed. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './steps.mjs';

const components = [
  {
    name: 'Ceph radosgw (S3 contract suite)',
    programs: ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-authtool'],
    packages: ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'],
  },
  { name: 'Chromium (status page)', programs: ['chromium'], packages: ['chromium'] },
];

const onPath = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** NESTEGG_TEST_NO_INSTALL=1 keeps the machine as it is. */
const mayInstall = () => process.getuid?.() === 0 && onPath('apt-get') && process.env.NESTEGG_TEST_NO_INSTALL !== '1';

export async function installComponents(totals) {
  const missing = () => components.filter(({ programs }) => !programs.every(onPath));
  if (missing().length > 0 && mayInstall()) {
    const packages = missing().flatMap((component) => component.packages);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await totals.step('components', async () => {
      await run('apt-get', ['update', '-q'], { env });
      await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], { env });
    });
  }
  for (const { name, packages } of missing()) {
    totals.skip(`${name}: not installed and may not be: apt-get install ${packages.join(' ')}`);
  }
}
