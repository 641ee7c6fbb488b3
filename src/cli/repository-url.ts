/** A repository named by a URL, with credentials from the environment: for the day on which there is no configuration. */
import { isAbsolute } from 'node:path';
import { UsageError } from '../core/errors.ts';
import type { LocationAssignment, SecretTexts } from '../tasks/kinds/assignment.ts';

export function isRepositoryUrl(text: string): boolean {
  return /^[a-z0-9+]+:\/\//.test(text);
}

/**
 * `file:///path`, `s3://host[:port]/bucket/prefix`, the same with `s3+http` without encryption.
 * @throws UsageError for anything else.
 */
export function parseRepositoryUrl(text: string, env: NodeJS.ProcessEnv): LocationAssignment {
  const url = parse(text);
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('credentials must not stand in the URL of a repository', { hint: credentialsHint });
  }
  const path = decodeURIComponent(url.pathname);
  if (url.protocol === 'file:') {
    if (url.host !== '' || !isAbsolute(path)) throw wrong(text);
    return { type: 'filesystem', path };
  }
  const [, bucket = '', ...rest] = path.split('/');
  const secure = url.protocol === 's3:';
  if ((!secure && url.protocol !== 's3+http:') || url.host === '' || bucket === '') throw wrong(text);
  const prefix = rest.filter((part) => part !== '').join('/');
  const region = env['AWS_REGION'];
  return {
    type: 's3',
    endpoint: `${secure ? 'https' : 'http'}://${url.host}`,
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    ...(region === undefined ? {} : { region }),
  };
}

const credentialsHint =
  'Set NESTEGG_ACCESS_KEY and NESTEGG_SECRET_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY).';

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch (error) {
    throw wrong(text, error);
  }
}

function wrong(text: string, cause?: unknown): UsageError {
  const hint = 'file:///path, s3://host/bucket/prefix, or s3+http://host:port/bucket/prefix without encryption.';
  return new UsageError(`not the URL of a repository: ${text}`, { hint, ...(cause === undefined ? {} : { cause }) });
}

/** Access to the store from the environment. @throws UsageError when an S3 store has none. */
export function storeSecrets(location: LocationAssignment, env: NodeJS.ProcessEnv): SecretTexts {
  if (location.type === 'filesystem') return {};
  const accessKey = env['NESTEGG_ACCESS_KEY'] ?? env['AWS_ACCESS_KEY_ID'];
  const secretKey = env['NESTEGG_SECRET_KEY'] ?? env['AWS_SECRET_ACCESS_KEY'];
  if (accessKey === undefined || secretKey === undefined) {
    throw new UsageError('the store needs an access key and a secret key', { hint: credentialsHint });
  }
  return { accessKey, secretKey };
}
