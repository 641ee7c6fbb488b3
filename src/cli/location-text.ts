import type { LocationAssignment } from '../tasks/kinds/assignment.ts';

/** Where a repository lies, for people: without credentials. */
export function locationText(location: LocationAssignment): string {
  if (location.type === 'filesystem') return `file://${location.path}`;
  return `${location.type}://${new URL(location.endpoint).host}/${location.bucket}/${location.prefix}`;
}
