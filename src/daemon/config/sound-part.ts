/** What remains of a wrong configuration that can still be checked. */
import type { z } from 'zod';
import { vocabulary } from './schema.ts';

export type Issue = z.core.$ZodIssue;

export function issuesOf(raw: unknown): readonly Issue[] {
  return vocabulary.safeParse(raw).error?.issues ?? [];
}

/**
 * A copy of `raw` without what the schema refuses: unknown keys, wrong values, and mappings that lack something. A list
 * with a wrong item goes as a whole, so that places in other lists stay what they are in the file.
 */
export function soundPart(raw: unknown): unknown {
  let sound = structuredClone(raw);
  for (let issues = issuesOf(sound); issues.length > 0; issues = issuesOf(sound)) {
    // All are looked up before the first is removed: what one removes must not look missing to the next.
    const targets = issues.flatMap((issue) => pathsOf(issue).map((path) => targetOf(sound, path)));
    if (targets.every((target) => target === undefined)) sound = {};
    for (const target of targets) if (target) Reflect.deleteProperty(target.mapping, target.key);
  }
  return sound;
}

function pathsOf(issue: Issue): readonly (readonly PropertyKey[])[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
}

interface Target {
  readonly mapping: object;
  readonly key: PropertyKey;
}

/** The deepest mapping key on `path` that exists. */
function targetOf(root: unknown, path: readonly PropertyKey[]): Target | undefined {
  let target: Target | undefined;
  let at = root;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) break;
    if (!Array.isArray(at)) target = { mapping: at, key };
    at = Reflect.get(at, key);
  }
  return target;
}
