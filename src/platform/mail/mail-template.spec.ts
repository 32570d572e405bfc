import { describe, expect, it } from '@jest/globals';
import { HtmlTemplate, MailTemplate } from './mail-template.js';

const SOURCE = `Confirm the address at {{product}}

Hello,

welcome to
{{product}}.

Confirm it:
{{link}}

Your code:
{{token}}

{{product}}
{{url}}
`;
const VALUES = {
  product: 'Tom & <b>Jerry</b> {{token}}',
  url: 'https://app.example.com',
  link: 'https://app.example.com/verify?token=abc&lang="de"',
  token: "abc'<x>",
};

describe('a mail template', () => {
  const template = new MailTemplate(SOURCE);

  it('writes text with the values as they are, each read once', () => {
    expect(template.subjectWith(VALUES)).toBe(`Confirm the address at ${VALUES.product}`);
    expect(template.textWith(VALUES)).toBe(
      SOURCE.slice(SOURCE.indexOf('Hello')).replace(
        /\{\{(\w+)\}\}/g,
        (_, name: keyof typeof VALUES) => VALUES[name],
      ),
    );
  });

  it('escapes every value in HTML', () => {
    const html = template.htmlWith(VALUES);
    expect(html).not.toMatch(/<b>|<x>|"de"|&lang/);
    expect(html).toContain('welcome to Tom &#38; &#60;b&#62;Jerry&#60;/b&#62; {{token}}.');
    expect(html).toContain('<a href="https://app.example.com/verify?token=abc&#38;lang=&#34;de&#34;"');
    expect(html).toContain('>abc&#39;&#60;x&#62;</code>');
  });

  it('escapes its own text in HTML', () => {
    const html = new MailTemplate('Subject\n\n<script>alert(1)</script>').htmlWith(VALUES);
    expect(html).toBe('<p>&#60;script&#62;alert(1)&#60;/script&#62;</p>');
  });

  it('turns the line above a link into a button', () => {
    expect(template.htmlWith({ ...VALUES, link: 'https://a.example' })).toMatch(
      /<p><a href="https:\/\/a\.example" style="[^"]+">Confirm it<\/a><\/p>/,
    );
  });

  it('leaves out a paragraph whose value the mail does not have', () => {
    const values = { ...VALUES, link: null };
    expect(template.textWith(values)).not.toMatch(/Confirm it|link|null/);
    expect(template.htmlWith(values)).not.toMatch(/Confirm it|null/);
    expect(template.textWith(values)).toContain(`Your code:\n${VALUES.token}`);
  });

  it('reads Windows line ends like others', () => {
    expect(new MailTemplate(SOURCE.replaceAll('\n', '\r\n')).textWith(VALUES)).toBe(
      template.textWith(VALUES),
    );
  });

  it.each([
    ['', 'must begin with the subject'],
    ['\n\nText', 'must begin with the subject'],
    [`${'x'.repeat(201)}\n\nText`, 'must have a subject of at most 200 characters'],
    ['Subject\n\n \n', 'must have text below the subject'],
    ['Subject\n\n{{tokn}}', /^contains \{\{tokn\}\}; the values are .*\{\{token\}\}/],
    ['{{content}}\n\nText', /^contains \{\{content\}\}/],
  ])('is refused for %j', (source, fault) => {
    expect(new MailTemplate(source).fault).toEqual(
      typeof fault === 'string' ? fault : expect.stringMatching(fault),
    );
  });

  it('is accepted as shipped', () => {
    expect(template.fault).toBeNull();
  });
});

describe('an HTML page', () => {
  it('escapes all values but its content', () => {
    const page = new HtmlTemplate('<title>{{subject}}</title>{{content}}<p>{{product}}</p>');
    expect(page.with({ subject: '</title>', product: VALUES.product }, '<p>$& {{subject}}</p>')).toBe(
      '<title>&#60;/title&#62;</title><p>$& {{subject}}</p><p>Tom &#38; &#60;b&#62;Jerry&#60;/b&#62; {{token}}</p>',
    );
  });

  it('needs a place for the content as a layout', () => {
    expect(new HtmlTemplate('<p>{{subject}}</p>').faultAsLayout()).toBe('must contain {{content}}');
    expect(new HtmlTemplate('{{content}}{{token}}').faultAsLayout()).toMatch(/^contains \{\{token\}\}/);
    expect(new HtmlTemplate('{{content}}').faultAsMail()).toMatch(/^contains \{\{content\}\}/);
  });
});
