import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { errorCodes } from '../../src/common/errors/error-codes.js';
import { type Variable, variables } from '../../src/config/variables.js';
import { withTables } from '../support/readme-tables.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const sources = { variables, errorCodes };

describe('README.md', () => {
  it('has the tables that the code gives: else run `npm run readme:tables`', () => {
    expect(readme).toBe(withTables(readme, sources));
  });

  it('would differ after any change of a name, a default, a production rule, a secret or a message', () => {
    const port: Variable = variables.PORT;
    const changes: Parameters<typeof withTables>[1][] = [
      { ...sources, variables: { ...variables, ONE_MORE: port } },
      { ...sources, variables: { ...variables, PORT: { ...port, default: '3001' } } },
      { ...sources, variables: { ...variables, PORT: { ...port, production: null } } },
      { ...sources, variables: { ...variables, PORT: { ...port, secret: true } } },
      { ...sources, errorCodes: { ...errorCodes, CONFLICT: { status: 409, message: 'Other' } } },
      { ...sources, errorCodes: { ...errorCodes, CONFLICT: { ...errorCodes.CONFLICT, status: 410 } } },
    ];
    expect(changes.map((changed) => withTables(readme, changed) === readme)).toEqual(
      changes.map(() => false),
    );
  });

  it('keeps all that stands around the tables', () => {
    const frame =
      'a\n<!-- configuration -->\nold\n<!-- /configuration -->\nb\n<!-- errors --><!-- /errors -->\nc\n';
    const made = withTables(frame, sources);
    expect(made.replaceAll(/^\|.*\n/gm, '').replaceAll(/\n+/g, '\n')).toBe(
      'a\n<!-- configuration -->\n<!-- /configuration -->\nb\n<!-- errors -->\n<!-- /errors -->\nc\n',
    );
    expect(withTables(made, sources)).toBe(made);
    expect(() => withTables('nothing', sources)).toThrow('lacks <!-- configuration -->');
  });
});
