import fc from 'fast-check';

interface Edit {
  readonly kind: 'delete' | 'insert' | 'replace' | 'repeat' | 'swap-case' | 'cut';
  readonly at: number;
  readonly char: string;
}

/** Characters with a meaning in headers, JSON, CSV and cursors, and any other that a header may contain. */
const character = fc.oneof(
  fc.constantFrom(...'",;:*=/\\{}[]. \t-_+0aAW\u00e9'.split('')),
  fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
);
const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('delete', 'insert', 'replace', 'repeat', 'swap-case', 'cut'),
  at: fc.nat(10_000),
  char: character,
});

/** Generates texts that nearly equal `valid`: a few characters are lost, added, exchanged or repeated. */
export const damaged = (valid: string, maxEdits = 4): fc.Arbitrary<string> =>
  fc.array(edit, { maxLength: maxEdits }).map((edits) => edits.reduce(apply, valid));

function apply(text: string, { kind, at, char }: Edit): string {
  const place = at % (text.length + 1);
  const [before, here, after] = [text.slice(0, place), text.slice(place, place + 1), text.slice(place + 1)];
  const results: Readonly<Record<Edit['kind'], string>> = {
    delete: before + after,
    insert: before + char + here + after,
    replace: before + char + after,
    repeat: before + here + here + after,
    'swap-case': before + (here === here.toLowerCase() ? here.toUpperCase() : here.toLowerCase()) + after,
    cut: before,
  };
  return results[kind];
}
