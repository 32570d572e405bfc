/** The letters that each digit or mark usually replaces. */
const MARKS: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'il',
  '2': 'z',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '6': 'gb',
  '7': 'tl',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'il',
  '|': 'il',
  '+': 't',
  '(': 'c',
  '€': 'e',
  '£': 'l',
  '¥': 'y',
  '§': 's',
};

/**
 * Pairs of a foreign letter, in lower case and without accents, and the Latin letter that it or its capital
 * resembles. A letter that resembles two Latin letters occurs in two pairs.
 */
const PAIRS = [
  // Cyrillic
  'аa вb ьb сc ԁd еe єe ғf ԍg һh нh іi јj кk ӏl мm пn оo рp ԛq гr яr ѕs тt цu ѵv ѡw шw щw ԝw хx уy уu иn иu зz',
  // Greek
  'αa βb γy δd εe ζz ηh ηn ιi κk λl μm μu νv νn οo πn ρp σo σs τt υu υy φf χx ωw',
  // Armenian
  'աw եt հh ոn սu օo զq',
  // Latin letters with a stroke or in another shape, which Unicode does not decompose
  'ƀb ɓb ƈc đd ðd ɖd ɗd əe ɛe ƒf ɡg ɠg ħh ɦh ɨi ɩi ĸk ƙk łl ƚl ɫl ɱm ŋn ɲn øo ɵo ɔo þp ƥp ɋq ɍr ʂs ŧt ƭt ʉu ʋv ƴy ɏy ƶz ȥz',
  // Small capitals
  'ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ꞯq ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ɑa ʐz',
];

/** The code points of the first letters of framed alphabets, which Unicode does not decompose. */
const FRAMED_A = [0x1f150, 0x1f170, 0x1f1e6];

const LETTERS = collectLetters();

function collectLetters(): ReadonlyMap<string, readonly string[]> {
  const letters = new Map(Object.entries(MARKS).map(([mark, like]) => [mark, Array.from(like)]));
  for (const [foreign, like] of PAIRS.flatMap((pairs) => pairs.split(' ')).map(
    ([a = '', b = '']) => [a, b] as const,
  )) {
    letters.set(foreign, [...(letters.get(foreign) ?? []), like]);
  }
  for (const first of FRAMED_A) {
    for (let i = 0; i < 26; i++)
      letters.set(String.fromCodePoint(first + i), [String.fromCodePoint(0x61 + i)]);
  }
  return letters;
}

/** Returns the Latin letters that a character replaces or resembles, or the character itself. */
export const lettersLike = (character: string): readonly string[] => LETTERS.get(character) ?? [character];

/**
 * Returns the characters of a text without usual disguises: case (with full folding, so `ß` is `ss` and `İ`
 * is `i`), accents, width and other compatible forms, and invisible characters.
 */
export function undisguised(text: string): string[] {
  // Converting to upper case and back expands and folds. The capital ß has no other upper case, so lower case
  // comes first.
  const folded = text.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return Array.from(folded.normalize('NFKD').replaceAll(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, ''));
}

/** Returns the characters without spaces, and without marks that replace no letter. */
export const withoutSeparators = (characters: readonly string[]): string[] =>
  characters.filter((character) => /[\p{L}\p{N}]/u.test(character) || LETTERS.has(character));

/**
 * Returns true if the text contains the word, possibly in disguise. Digits alone are no disguise, because
 * they occur in many passwords by chance. Both arguments come from {@link undisguised}.
 */
export function containsDisguised(characters: readonly string[], word: readonly string[]): boolean {
  const readings = characters.map((character) => new Set([character, ...lettersLike(character)]));
  const wanted = word.map((character) => [character, ...lettersLike(character)]);
  return characters.some(
    (_, start) =>
      start + wanted.length <= characters.length &&
      wanted.every((letters, i) => letters.some((letter) => readings[start + i]?.has(letter))) &&
      characters.slice(start, start + wanted.length).some((character) => /\p{L}/u.test(character)),
  );
}
