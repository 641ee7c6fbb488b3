/** `nestegg.json`: the plain hint that a repository is here (repository format, section 3). It is not trusted. */
import { decoding } from '../../core/errors.ts';
import type { RepositoryId } from '../../core/ids.ts';
import { canonicalJson, oneOf, parseJson, record } from './json.ts';
import { repositoryIds } from './shapes.ts';

export interface Hint {
  readonly repository: RepositoryId;
}

const limit = 4096;

const hints = record<{ magic: 'nestegg'; format: 1; repository: RepositoryId }>({
  magic: oneOf('nestegg'),
  format: oneOf(1),
  repository: repositoryIds,
});

export function encodeHint(hint: Hint): Uint8Array {
  return canonicalJson(hints.encode({ magic: 'nestegg', format: 1, repository: hint.repository }));
}

/** @throws CorruptionError. */
export function decodeHint(bytes: Uint8Array): Hint {
  return decoding('nestegg.json', () => {
    const { repository } = hints.decode(parseJson(bytes, limit), 'nestegg.json');
    return { repository };
  });
}
