import { describe, expect, it } from '@jest/globals';
import { canonicalLocale, findLanguage, preferredLanguage } from './locale.js';

const AVAILABLE = ['en', 'de', 'pt-BR'];

describe('a locale', () => {
  it.each([
    ['en', 'en'],
    ['DE-at', 'de-AT'],
    ['zh-hans-cn', 'zh-Hans-CN'],
  ])('%s is spelled %s', (given, canonical) => {
    expect(canonicalLocale(given)).toBe(canonical);
  });

  it.each(['', 'e', 'de_DE', 'de-', 'en; q=1', 'x'.repeat(36), 'a-\u0000', 'deutsch-land-und-leute'])(
    'cannot be %j',
    (given) => {
      expect(canonicalLocale(given)).toBeNull();
    },
  );

  it('finds the language of its mails by cutting subtags', () => {
    expect(findLanguage('de-AT', AVAILABLE)).toBe('de');
    expect(findLanguage('pt-BR', AVAILABLE)).toBe('pt-BR');
    expect(findLanguage('pt-PT', AVAILABLE)).toBeNull();
  });
});

describe('the preferred language', () => {
  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-DE,de;q=0.9,en;q=0.8', 'de'],
    ['fr-FR, fr;q=0.9, de;q=0.4', 'de'],
    ['en;q=0.2, de;q=0.7', 'de'],
    ['de;q=0, en', 'en'],
    ['*', 'en'],
    ['fr', 'en'],
    ['de;q=2', 'en'],
    ['PT-br', 'pt-BR'],
    [';;;,,,q=', 'en'],
  ])('of %j is %s', (header, language) => {
    expect(preferredLanguage(header, AVAILABLE)).toBe(language);
  });

  it('does not depend on ranges beyond the twentieth', () => {
    expect(preferredLanguage(`${'fr,'.repeat(20)}de`, AVAILABLE)).toBe('en');
  });
});
