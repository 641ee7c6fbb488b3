import { chmod, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Config, ConfigCheck } from '../../../src/daemon/config/config.ts';
import type { Environment } from '../../../src/daemon/config/environment.ts';
import { checkConfig, checkText, ConfigError, formatProblems, loadConfig } from '../../../src/daemon/config/load.ts';
import { configJsonSchema, vocabulary } from '../../../src/daemon/config/schema.ts';
import { editDistance } from '../../../src/daemon/config/suggestions.ts';
import { unavailable } from '../../../src/daemon/config/unavailable.ts';
import { temporaryFolder } from '../../support/state.ts';

const file = '/etc/nestegg/nestegg.yml';
const check = (text: string, environment: Environment = {}): Promise<ConfigCheck> => checkText(file, text, environment);

async function problems(text: string, environment: Environment = {}): Promise<string> {
  const checked = await check(text, environment);
  return checked.ok ? '' : formatProblems(checked.problems);
}

async function good(text: string, environment: Environment = {}): Promise<Config> {
  const checked = await check(text, environment);
  if (!checked.ok) throw new Error(formatProblems(checked.problems));
  return checked.config;
}

const nas = 'repositories: { nas: { type: filesystem, path: /nas, password: x1 } }\n';
const backup = (more: string): string =>
  `${nas}backups:\n  db:\n    source: { type: pbs, datastore: /ds }\n    repositories: [nas]\n    ${more}\n`;

describe('a configuration with errors', () => {
  it('shows all of them at once, each with its place', async () => {
    const path = new URL('golden/wrong-config.txt', import.meta.url).pathname;
    const checked = await checkText('wrong.yml', await readFile(path, 'utf8'), {});
    const text = checked.ok ? '' : formatProblems(checked.problems);
    await expect(`${text}\n`).toMatchFileSnapshot('golden/wrong-config.problems.txt');
    expect(text).not.toMatch(/hunter2|xyzsecret/);
  });

  const cases: readonly (readonly [what: string, text: string, expected: RegExp])[] = [
    ['bad YAML, without its echo', 'daemon: { listen: [\nlog: {}\n', /^\S+:\d+:\d+: .*\n.*\n.*$/],
    ['a duplicate key', 'device: a\ndevice: b\n', /nestegg\.yml:2:1: the key `device` stands here twice/],
    ['a list at the top', '- a\n', /a mapping \(`key: value`\) is needed/],
    ['a wrong type', 'daemon: { concurrency: many }', /daemon\.concurrency: a whole number from 1 to 64 is needed/],
    [
      'a missing key',
      'repositories: { a: { type: filesystem, path: /a } }',
      /1:17: repositories\.a\.password: `password` is missing: a secret is/,
    ],
    ['a missing type', 'repositories: { a: { path: /a } }', /`type` is missing: one of filesystem, s3, sia is needed/],
    ['a bad choice', 'log: { level: warning }', /one of debug, info, warn, error is needed; did you mean `warn`\?/],
    ['an unknown time zone', 'timezone: Mars/Olympus', /1:11: timezone: `Mars\/Olympus` is not a time zone/],
    [
      'an address that is none',
      'daemon: { listen: "127.0.0.1:99999" }',
      /is not an address to listen on\n.*\n.*\n +Write `127/,
    ],
    [
      'a foreign address',
      'daemon: { listen: "192.168.1.5:8480" }',
      /other addresses than loopback is not available yet\n.*\n.*\n +Use another/,
    ],
    [
      'a read-only repository',
      backup('').replace('password: x1', 'password: x1, readOnly: true'),
      /`nas` is read-only, so no backup can go there/,
    ],
    [
      'two names for one place',
      nas.replace('}\n', ', b: { type: filesystem, path: /nas/, password: y } }\n'),
      /`b` is the same place as `nas`/,
    ],
    [
      'a settle that contradicts itself',
      backup('watch: { settle: { min: 2m, max: 1m } }'),
      /settle\.max: `max` is shorter than `min`/,
    ],
    ['a schedule twice', backup('schedules: [1d, 1d]'), /schedules\.1: the schedule `1d` stands here twice/],
    ['no repositories', backup('').replace('[nas]', '[]'), /a backup needs at least one repository/],
    [
      'a repository twice',
      backup('').replace('[nas]', '[nas, { name: nas }]'),
      /the repository `nas` stands here twice/,
    ],
    [
      'a bad override',
      backup('').replace('[nas]', '[{ name: nas, keeep: { last: 3 } }]'),
      /unknown key `keeep`; did you mean `keep`\?/,
    ],
    [
      'an inline name that is taken',
      backup('').replace('[nas]', '[{ type: filesystem, name: nas, path: /b, password: z }]'),
      /there is a repository `nas` already/,
    ],
    ['a bad filter', backup('').replace('/ds }', '/ds, exclude: ["regex:("] }'), /`regex:\(` is not a group filter/],
    ['an empty secret', 'repositories: { a: { type: filesystem, path: /a, password: "" } }', /the secret is empty/],
    [
      'a secret in two forms',
      'repositories: { a: { type: filesystem, path: /a, password: { file: a, credential: b } } }',
      /unknown key `(file|credential)`/,
    ],
  ];
  for (const [what, text, expected] of cases) {
    it(`says: ${what}`, async () => {
      expect(await problems(text)).toMatch(expected);
    });
  }

  it('never shows a secret, not even next to another error or under a misspelt key', async () => {
    const text = [
      'repositories:',
      '  a: { type: filesystem, path: 5, password: canary-1, accessKey: canary-2 }',
      '  b: { type: filesystem, path: /b, pasword: canary-3 }',
      '  c: { type: s3, secretKey: "canary-4", endpoint: x }',
    ].join('\n');
    const shown = await problems(text);
    expect(shown).toMatch(/\*{8}/);
    expect(shown).not.toMatch(/canary/);
  });

  it('refuses every key of an unbuilt part, by name', async () => {
    const values: Readonly<Record<string, string>> = {
      'daemon.listen': '"0.0.0.0:1"',
      'log.format': 'ecs',
      'backups.*.source': '{ type: files, paths: [/a] }',
    };
    for (const { path } of unavailable) {
      const keys = path.replace('repositories.*', 'repositories.0').replace('*', 'one').split('.');
      const text = keys.reduceRight(
        (inner, key) => (key === '0' ? `[${inner}]` : `{ ${key}: ${inner} }`),
        values[path] ?? 'true',
      );
      const checked = await check(text);
      const found = checked.ok ? [] : checked.problems.filter(({ code }) => code === 'config.unavailable');
      expect(
        found.map((problem) => problem.path),
        path,
      ).toEqual([keys.join('.')]);
      expect(found[0]?.message).toMatch(/is not available yet$/);
    }
  });

  it('names what is missing in the environment and on the disk', async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder.path}/empty`, '\n');
    const repository = (name: string, secret: string): string =>
      `  ${name}: { type: filesystem, path: /${name}, password: ${secret} }`;
    const text = [
      'repositories:',
      repository('a', '${NOPE}'),
      repository('b', `{ file: ${folder.path}/nope }`),
      repository('c', `{ file: ${folder.path}/empty }`),
      repository('d', '{ credential: key }'),
    ].join('\n');
    const checked = await checkText(`${folder.path}/n.yml`, text, {});
    const found = checked.ok ? [] : checked.problems.map(({ code, path, message }) => `${code} ${path} ${message}`);
    expect(found).toEqual([
      'config.secret repositories.a.password the environment variable NOPE is not set',
      `config.secret repositories.b.password the secret cannot be read: there is no file ${folder.path}/nope`,
      `config.secret repositories.c.password the secret cannot be read: ${folder.path}/empty is empty`,
      'config.secret repositories.d.password the secret cannot be read: there is no $CREDENTIALS_DIRECTORY',
    ]);
    await folder.remove();
  });
});

describe('a good configuration', () => {
  it('is complete with next to nothing written', async () => {
    const config = await good('');
    expect(config).toMatchObject({
      ...{ file, device: hostname(), repositories: {}, backups: {} },
      daemon: { listen: { type: 'tcp', host: '127.0.0.1', port: 8480 }, state: '/var/lib/nestegg', concurrency: 2 },
      log: { level: 'info', format: 'json' },
    });
  });

  it('merges defaults and overrides key by key', async () => {
    const text = `defaults: { keep: { last: 3, daily: 14 }, priority: superior, watch: {} }\n${backup('keep: { daily: 7, within: 7d }')}`;
    const config = await good(text.replace('[nas]', '[{ name: nas, keep: { monthly: 24 } }]'));
    expect(config.backups['db']).toMatchObject({
      repositories: [{ name: 'nas', keep: { last: 3, daily: 7, monthly: 24, withinMs: 7 * 86_400_000 } }],
      ...{ priority: 'superior', watch: { settle: { minMs: 30_000, maxMs: 900_000 } }, catchUp: 'once' },
    });
  });

  it('takes repositories written inside a backup', async () => {
    const config = await good(backup('').replace('[nas]', '[nas, { type: filesystem, path: usb, password: y }]'));
    expect(config.backups['db']?.repositories.map(({ name }) => name)).toEqual(['nas', 'db.filesystem']);
    expect(config.repositories['db.filesystem']).toMatchObject({
      type: 'filesystem',
      path: '/etc/nestegg/usb',
      compression: 'auto',
    });
  });

  it('replaces variables anywhere, as texts and as numbers, in every style of YAML', async () => {
    const text = 'device: ${A}-${B}\ndaemon: { concurrency: ${N}, state: "/x/$${A}" }\n';
    const config = await good(text, { A: 'one', B: 'two', N: '5' });
    expect(config).toMatchObject({ device: 'one-two', daemon: { concurrency: 5, state: '/x/${A}' } });
    const digits = await good(nas.replace('x1', '${N}'), { N: '0123' });
    expect(digits.repositories['nas']?.password.reveal()).toBe('0123');
  });

  it('reads secrets from files and credentials, without the last line break', async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder.path}/secret`, ' two words \n');
    await chmod(`${folder.path}/secret`, 0o600);
    const path = `${folder.path}/n.yml`;
    await writeFile(
      path,
      'repositories: { a: { type: filesystem, path: a, password: { file: secret } }, b: { type: filesystem, path: b, password: { credential: secret } } }',
    );
    const config = await loadConfig(path, { CREDENTIALS_DIRECTORY: folder.path });
    expect(Object.values(config.repositories).map(({ password }) => password.reveal())).toEqual([
      ' two words ',
      ' two words ',
    ]);
    await folder.remove();
  });

  it('is frozen, and prints no secret', async () => {
    const config = await good(nas);
    expect(() => Object.assign(config.daemon, { state: '/x' })).toThrow(TypeError);
    const printed = JSON.stringify(config) + inspect(config, { depth: 9 });
    expect(printed).not.toContain('x1');
    const checked = await check(nas);
    expect(JSON.stringify(checked)).not.toContain('x1');
  });

  it('tells where each effective value comes from', async () => {
    const checked = await check(`defaults: { limits: { retries: 5 } }\n${backup('limits: { nice: 3 }')}`);
    const from = Object.fromEntries(
      (checked.ok ? checked.effective : []).map(({ path, value, from: place }) => [path, `${value} from ${place}`]),
    );
    expect(from).toMatchObject({
      'backups.db.limits.nice': `3 from ${file}:7`,
      'backups.db.limits.retries': `5 from defaults, ${file}:1`,
      'backups.db.catchUp': 'once from default',
      'repositories.nas.password': `[secret] from ${file}:2`,
      'daemon.history': '400d from default',
    });
  });
});

describe('the file', () => {
  it('must be there', async () => {
    await expect(checkConfig('/nonexistent/nestegg.yml')).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining('does not exist'),
    });
  });

  it('throws its problems when it is loaded', async () => {
    const folder = await temporaryFolder();
    await writeFile(`${folder.path}/n.yml`, 'lgo: {}\n');
    const error: unknown = await loadConfig(`${folder.path}/n.yml`, {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'config.invalid', message: expect.stringContaining('did you mean `log`?') });
    await folder.remove();
  });
});

describe('the example', () => {
  const example = new URL('../../../config.example.yml', import.meta.url);
  const environment = {
    SIA_ACCESS_KEY: 'a',
    OVH_ACCESS_KEY: 'b',
    OVH_SECRET_KEY: 'c',
    OVH_GC_KEY: 'd',
    OVH_GC_SECRET: 'e',
  };

  it('is valid but for the secrets that are not on this machine', async () => {
    const checked = await checkText(file, await readFile(example, 'utf8'), environment);
    const found = checked.ok ? [] : checked.problems;
    expect(formatProblems(found.filter(({ code }) => code !== 'config.secret'))).toBe('');
    expect(found.length).toBeGreaterThan(0);
  });

  it('uncommented, is valid by the whole vocabulary, and marks every part that is not available yet', async () => {
    const written = await readFile(example, 'utf8');
    const begin = written.indexOf('device:');
    const body = written.slice(begin).replace(/^( *)# (?=( *)([\w-]+:( |$)|- \{))/gm, '$1');
    const text = written.slice(0, begin) + body;
    const filled = text.replace(/\$\{(\w+)\}/g, '$1');
    const parsed = vocabulary.safeParse(parse(filled));
    expect(parsed.error?.issues ?? []).toEqual([]);
    const checked = await checkText(file, text, environment);
    const refused = checked.ok ? [] : checked.problems.filter(({ code }) => code === 'config.unavailable');
    expect(refused.length).toBeGreaterThan(20);
    const lines = written.split('\n');
    for (const { line } of refused) expect(lines[line - 1], String(line)).toMatch(/not available yet/);
  });
});

describe('the JSON Schema', () => {
  it('knows every key, and refuses others', () => {
    const schema = JSON.stringify(configJsonSchema());
    for (const key of ['timezone', 'everyByteWithin', 'allowDamaged', 'databaseCopy', 'onFailure', 'catchUp']) {
      expect(schema).toContain(`"${key}"`);
    }
    expect(configJsonSchema()).toMatchObject({ type: 'object', additionalProperties: false });
  });
});

describe('the edit distance', () => {
  it.each([
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['retenton', 'retention', 1],
    ['lgo', 'log', 1],
    ['same', 'same', 0],
  ])('of %j and %j is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
