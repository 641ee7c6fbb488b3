/**
 * A real Ceph radosgw on loopback: one monitor, one OSD in memory, one or two gateways, in a scratch directory that is
 * removed at the end. Debian's packages `ceph-mon ceph-osd radosgw ceph-common` are installed when they are missing and
 * this process is root. Up in about 15 seconds. Two things that look optional are not: cephx (without it radosgw hangs
 * for 300 s) and an explicit monitor map (without it the monitor binds other ports and never forms a quorum).
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { cephConf, freePorts, type RadosgwLayout } from './radosgw-conf.ts';
import { stopByPidFiles, stopLeftovers } from './radosgw-stop.ts';

const run = promisify(execFile);

export interface Radosgw {
  readonly url: string;
  /** A second gateway to the same data that takes three requests at a time and answers the others 503 SlowDown. */
  readonly throttledUrl: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Exists. */
  readonly bucket: string;
  stop(): Promise<void>;
}

const packages = ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'];
const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph', 'monmaptool', 'radosgw-admin', 'ceph-authtool'];
const accessKey = 'NESTEGGRADOSGWTEST00';
const secretKey = 'radosgw-secret-radosgw-secret-radosgw-se';

/**
 * Why there is no radosgw here, or `undefined` when there can be one. Says so loudly; with `CI=true` it is a failure,
 * because there the suite must not shrink unnoticed.
 */
export async function radosgwMissing(): Promise<string | undefined> {
  const reason = await installReason();
  if (reason === undefined) return undefined;
  if (process.env['CI'] === 'true') throw new Error(`the tests against radosgw cannot run: ${reason}`);
  process.stderr.write(`\n*** SKIPPED: all tests against a real S3 server (radosgw): ${reason} ***\n\n`);
  return reason;
}

async function installReason(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'radosgw runs on Linux only';
  if (await installed()) return undefined;
  if (process.getuid?.() !== 0) return `root is needed once for: apt-get install ${packages.join(' ')}`;
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { env, timeout: 300_000 });
    const args = ['install', '-y', '--no-install-recommends', ...packages];
    await run('apt-get', args, { env, timeout: 600_000, maxBuffer: 2 ** 26 });
  } catch (error) {
    return `apt-get install ${packages.join(' ')} failed: ${String(error).slice(0, 300)}`;
  }
  return (await installed()) ? undefined : 'the installed packages lack a program';
}

async function installed(): Promise<boolean> {
  const found = await Promise.allSettled(programs.map((name) => run('which', [name])));
  return found.every((each) => each.status === 'fulfilled');
}

/** Starts everything, or stops what it had started and throws. */
export async function startRadosgw(): Promise<Radosgw> {
  await stopLeftovers();
  const directory = await mkdtemp(join(tmpdir(), 'nestegg-radosgw-'));
  await writeFile(join(directory, 'owner'), String(process.pid));
  const [monV2, monV1, gateway, throttled] = await freePorts(4);
  const layout: RadosgwLayout = {
    directory,
    fsid: randomUUID(),
    monitor: `[v2:127.0.0.1:${String(monV2)},v1:127.0.0.1:${String(monV1)}]`,
  };
  const stop = async (): Promise<void> => {
    await stopByPidFiles(directory);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const conf = await writeConf(layout, 'ceph.conf', gateway, undefined);
    const throttledConf = await writeConf(layout, 'throttled.conf', throttled, 3);
    await startMonitor(layout, conf);
    await startOsd(layout, conf);
    await makeUser(conf);
    await startGateway(conf, gateway);
    await startGateway(throttledConf, throttled);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${String(gateway)}`;
  const bucket = 'nestegg-test';
  await makeBucket(url, bucket);
  return { url, throttledUrl: `http://127.0.0.1:${String(throttled)}`, accessKey, secretKey, bucket, stop };
}

async function writeConf(
  layout: RadosgwLayout,
  name: string,
  port: number,
  maxConcurrentRequests: number | undefined,
): Promise<string> {
  const path = join(layout.directory, name);
  await writeFile(path, cephConf(layout, port, maxConcurrentRequests));
  return path;
}

async function ceph(program: string, conf: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, ['-c', conf, ...args], { timeout: 120_000, maxBuffer: 2 ** 24 });
  return stdout;
}

async function startMonitor({ directory, fsid, monitor }: RadosgwLayout, conf: string): Promise<void> {
  for (const folder of ['mon', 'osd', 'rgw', 'run', 'log']) await mkdir(join(directory, folder));
  const keyring = join(directory, 'keyring');
  const identities = [
    ['mon.', '--cap', 'mon', 'allow *'],
    ['client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'],
    ['osd.0', '--cap', 'mon', 'profile osd', '--cap', 'osd', 'allow *'],
  ] as const;
  for (const [at, [name, ...caps]] of identities.entries()) {
    const create = at === 0 ? ['--create-keyring'] : [];
    await run('ceph-authtool', [...create, keyring, '--gen-key', '-n', name, ...caps]);
  }
  const map = join(directory, 'monmap');
  await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', monitor, '--enable-all-features', map]);
  await ceph('ceph-mon', conf, ['--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring]);
  await ceph('ceph-mon', conf, ['-i', 'a']);
}

async function startOsd({ directory }: RadosgwLayout, conf: string): Promise<void> {
  const id = randomUUID();
  await ceph('ceph', conf, ['osd', 'new', id, '0']);
  await ceph('ceph', conf, ['auth', 'import', '-i', join(directory, 'keyring')]);
  await ceph('ceph-osd', conf, ['-i', '0', '--mkfs', '--osd-uuid', id]);
  await ceph('ceph-osd', conf, ['-i', '0']);
  await ceph('ceph', conf, ['osd', 'crush', 'add-bucket', 'h', 'host']);
  await ceph('ceph', conf, ['osd', 'crush', 'move', 'h', 'root=default']);
  await ceph('ceph', conf, ['osd', 'crush', 'set', 'osd.0', '1.0', 'root=default', 'host=h']);
}

async function makeUser(conf: string): Promise<void> {
  const keys = [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
  await ceph('radosgw-admin', conf, ['-n', 'client.admin', 'user', 'create', '--uid=t', '--display-name=t', ...keys]);
}

async function startGateway(conf: string, port: number): Promise<void> {
  await ceph('radosgw', conf, ['-n', 'client.admin']);
  const untilMs = systemClock.monotonic() + 60_000;
  while (!(await answers(port))) {
    if (systemClock.monotonic() > untilMs) throw new Error('radosgw does not answer after 60 s');
    await systemClock.sleep(200);
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${String(port)}/`);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

async function makeBucket(url: string, bucket: string): Promise<void> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}
