/** What one run of the command line works with: its options, the configuration, the daemon, the output. */
import { existsSync } from 'node:fs';
import { UsageError } from '../core/errors.ts';
import { loadConfig } from '../daemon/config/load.ts';
import { repositoryAssignment } from '../daemon/config/assignments.ts';
import type { Config } from '../daemon/config/config.ts';
import type { RepositoryAssignment } from '../tasks/kinds/assignment.ts';
import { connectSocket, socketPath, type ApiClient } from './api-client.ts';
import { Output } from './output.ts';
import { isRepositoryUrl, parseRepositoryUrl, storeSecrets } from './repository-url.ts';
import { credentialFor } from './credential.ts';
import type { GlobalOptions, World } from './world.ts';

const defaultConfigFile = '/etc/nestegg/config.yml';

export class Session {
  readonly world: World;
  readonly options: GlobalOptions;
  readonly output: Output;
  readonly version: string;
  #config: Promise<Config> | undefined;

  constructor(world: World, options: GlobalOptions, version: string) {
    this.world = world;
    this.options = options;
    this.version = version;
    this.output = new Output(world, options);
  }

  get configFile(): string {
    return this.options.config ?? this.world.env['NESTEGG_CONFIG'] ?? defaultConfigFile;
  }

  /** @throws ConfigError, UsageError */
  config(): Promise<Config> {
    return (this.#config ??= loadConfig(this.configFile, this.world.env));
  }

  /** The configuration, or nothing when none was named and there is none in the usual place. @throws ConfigError */
  async configIfAny(): Promise<Config | undefined> {
    const named = this.options.config !== undefined || this.world.env['NESTEGG_CONFIG'] !== undefined;
    if (!named && !existsSync(defaultConfigFile)) return undefined;
    return this.config();
  }

  /** The work is done in this process: on request, and for a repository that only a URL names. */
  get isDirect(): boolean {
    return this.options.direct || (this.options.repository !== undefined && isRepositoryUrl(this.options.repository));
  }

  async client(): Promise<ApiClient> {
    const { daemon } = await this.config();
    return connectSocket(socketPath(daemon.state), this.version);
  }

  /**
   * The name of the repository that a command is about: `--repository`, or the only one of the configuration.
   * @throws UsageError when there are several.
   */
  async repositoryName(): Promise<string> {
    if (this.options.repository !== undefined) return this.options.repository;
    const names = Object.keys((await this.config()).repositories);
    const [only] = names;
    if (only !== undefined && names.length === 1) return only;
    const hint = `\`--repository NAME\`: ${names.join(', ')}. Or a URL: file:///path, s3://host/bucket/prefix.`;
    throw new UsageError('which repository?', { hint });
  }

  /** The repository itself, for work in this process. Secrets come from the configuration, or the environment for a URL. */
  async repository(): Promise<RepositoryAssignment> {
    const name = await this.repositoryName();
    if (!isRepositoryUrl(name)) return repositoryAssignment(await this.config(), name);
    const location = parseRepositoryUrl(name, this.world.env);
    const credential = await credentialFor(this.world, name);
    return {
      name: nameFromLocation(name),
      location,
      secrets: { ...storeSecrets(location, this.world.env), ...credential },
      readOnly: false,
    };
  }
}

/** Short enough for results: the URL without a trailing slash. */
function nameFromLocation(url: string): string {
  return url.replace(/\/+$/, '');
}
