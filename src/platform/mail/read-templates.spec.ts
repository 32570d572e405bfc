import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mailTemplateNames } from './mail-template.js';
import { loadTemplates, readTemplates } from './read-templates.js';

const MAIL = 'Subject\n\nText\n';

describe('a folder of mail templates', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-templates-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };

  it('holds a layout, and mails by language, beside files that begin with a dot', () => {
    write('layout.html', '{{content}}');
    write('de/invitation.txt', MAIL);
    write('pt-BR/invitation.html', '<p>{{link}}</p>');
    write('..data/invitation.txt', MAIL);
    write('de/.DS_Store', 'x');
    const { files, languages, faults } = readTemplates(folder);
    expect(faults).toEqual([]);
    expect([...files.keys()].toSorted()).toEqual([
      'de/invitation.txt',
      'layout.html',
      'pt-BR/invitation.html',
    ]);
    expect(languages.toSorted()).toEqual(['de', 'pt-BR']);
  });

  it.each<[string, string, string | Buffer, RegExp]>([
    [
      'a mistyped mail',
      'de/invitaton.txt',
      MAIL,
      /^de\/invitaton\.txt must be named after a mail, .*invitation/,
    ],
    ['another kind of file', 'de/invitation.md', MAIL, /^de\/invitation\.md must be named after a mail/],
    ['a mail without language', 'invitation.txt', MAIL, /^invitation\.txt must be layout\.html or a folder/],
    ['a name that is no language', 'german_de/invitation.txt', MAIL, /^german_de must be layout\.html or/],
    ['an unusual spelling of a language', 'DE/invitation.txt', MAIL, /^DE must be layout\.html or/],
    ['a file in place of a language', 'de', MAIL, /^de cannot be read as a folder \(ENOTDIR\)/],
    [
      'a faulty template',
      'de/invitation.txt',
      'Subject\n\n{{name}}',
      /^de\/invitation\.txt contains \{\{name\}\}/,
    ],
    ['a faulty layout', 'layout.html', '<p>', /^layout\.html must contain \{\{content\}\}/],
    ['a faulty page', 'de/invitation.html', '{{name}}', /^de\/invitation\.html contains \{\{name\}\}/],
    [
      'a large file',
      'de/invitation.txt',
      MAIL + 'x'.repeat(65_536),
      /^de\/invitation\.txt must have at most 65536 bytes/,
    ],
    [
      'another encoding',
      'de/invitation.txt',
      Buffer.from('Subject\n\nGr\xfc\xdfe', 'latin1'),
      /^de\/invitation\.txt cannot be read \(ERR_ENCODING/,
    ],
  ])('is refused with %s', (_, path, content, fault) => {
    write(path, content);
    expect(readTemplates(folder).faults).toEqual([expect.stringMatching(fault)]);
  });

  it('needs the text beside a page', () => {
    write('de/invitation.html', '<p>{{link}}</p>');
    write('fr/invitation.html', '<p>{{link}}</p>');
    expect(() => loadTemplates(folder)).toThrow(
      'MAIL_TEMPLATES_DIR: fr/invitation.html needs fr/invitation.txt beside it',
    );
    write('fr/invitation.txt', MAIL);
    expect(loadTemplates(folder).languages.toSorted()).toEqual(['de', 'en', 'fr']);
  });

  it('is refused when it does not exist', () => {
    expect(readTemplates(join(folder, 'nothing')).faults).toEqual([
      expect.stringMatching(/nothing cannot be read as a folder \(ENOENT\)$/),
    ]);
  });

  it('is shipped without faults, with every mail in English and German', () => {
    const { files, languages, faults } = readTemplates(join(import.meta.dirname, 'templates'));
    expect(faults).toEqual([]);
    expect(languages.toSorted()).toEqual(['de', 'en']);
    const mails = languages.flatMap((language) => mailTemplateNames.map((name) => `${language}/${name}.txt`));
    expect([...files.keys()].toSorted()).toEqual([...mails, 'layout.html'].toSorted());
  });

  it('is shipped without names of routes', () => {
    const { files } = readTemplates(join(import.meta.dirname, 'templates'));
    for (const text of files.values()) expect(text).not.toMatch(/\/api\/|\bPOST\b|\bGET\b/);
  });
});
