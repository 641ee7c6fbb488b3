import type { LocationAssignment } from '../tasks/kinds/assignment.ts';

/** Where a repository lies, for people: without credentials. */
export function locationText(location: LocationAssignment): string {
  if (location.type === 'filesystem') return `file://${location.path}`;
  return `${location.type}://${new URL(location.endpoint).host}/${location.bucket}/${location.prefix}`;
}

/** The same as a URL that `recover` and `--repository` take. The S3 side of a Sia gateway is S3. */
export function locationUrl(location: LocationAssignment): string {
  if (location.type === 'filesystem') return `file://${location.path}`;
  const { protocol, host } = new URL(location.endpoint);
  return `${protocol === 'http:' ? 's3+http' : 's3'}://${host}/${location.bucket}/${location.prefix}`;
}
