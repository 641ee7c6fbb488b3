/** What a person may have meant. */

/** One message for each unknown key. */
export function unknownKeyMessages(keys: readonly string[], known: readonly string[]): readonly string[] {
  return keys.map((key) => `unknown key \`${key}\`${didYouMean(key, known)}`);
}

/** `; did you mean ...?`, or what there is, or nothing when nothing is alike and there is much. */
export function didYouMean(word: string, known: readonly string[]): string {
  const close = closest(word, known);
  if (close !== undefined) return `; did you mean \`${close}\`?`;
  return known.length > 0 && known.length <= 6 ? `; known here: ${known.join(', ')}` : '';
}

/** The known word with the smallest edit distance, when at most about a third of the letters differ; else one that is longer or shorter. */
export function closest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return (
    best ??
    (word.length >= 3
      ? known.find((candidate) => candidate.startsWith(word) || (candidate.length >= 3 && word.startsWith(candidate)))
      : undefined)
  );
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      }
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
