/**
 * How s3d packs: pending objects are grouped, and a group is uploaded when under a tenth of its slabs would be
 * padding. An object that fills its slabs well by itself goes alone; small ones wait for company.
 */
interface Sized {
  readonly sizeBytes: number;
}

const largestGroupBytes = 2 ** 30;

export function groupsToUpload<T extends Sized>(pending: readonly T[], slabBytes: number): readonly (readonly T[])[] {
  const groups: T[][] = [];
  const open: { members: T[]; sizeBytes: number }[] = [];
  for (const object of pending) {
    if (fillsWell(object.sizeBytes, slabBytes)) {
      groups.push([object]);
      continue;
    }
    let group = open.find((candidate) => candidate.sizeBytes + object.sizeBytes <= largestGroupBytes);
    if (group === undefined) {
      group = { members: [], sizeBytes: 0 };
      open.push(group);
    }
    group.members.push(object);
    group.sizeBytes += object.sizeBytes;
    if (fillsWell(group.sizeBytes, slabBytes)) {
      groups.push(group.members);
      open.splice(open.indexOf(group), 1);
    }
  }
  return groups;
}

function fillsWell(sizeBytes: number, slabBytes: number): boolean {
  const uploadedBytes = Math.ceil(sizeBytes / slabBytes) * slabBytes;
  return sizeBytes > 0 && uploadedBytes - sizeBytes < uploadedBytes / 10;
}
