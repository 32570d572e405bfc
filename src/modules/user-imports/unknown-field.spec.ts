import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hintFor, unknownNameFault } from './unknown-field.js';

const KNOWN = ['email', 'name', 'password_hash', 'email_verified', 'status', 'roles'];

describe('an unknown property of an import', () => {
  it.each([
    ['E-Mail', 'email'],
    ['e_mail', 'email'],
    ['Email Address', 'email'],
    ['emial', null],
    ['emali', null],
    ['emai', 'email'],
    ['passwordHash', 'password_hash'],
    ['pasword_hash', 'password_hash'],
    ['Password', 'password_hash'],
    ['emailVerified', 'email_verified'],
    ['displayName', 'name'],
    ['names', 'name'],
    ['role', 'roles'],
    ['isActive', 'status'],
    ['colour', null],
    ['constructor', null],
    ['', null],
  ])('gets a hint when it is a near miss: %s → %s', (name, meant) => {
    expect(hintFor(name, KNOWN)).toBe(meant === null ? null : `did you mean ${meant}?`);
  });

  it.each(['_id', 'id', 'user_id', 'UID', 'localId'])('is explained when it is an id: %s', (name) => {
    expect(unknownNameFault('property', name, KNOWN)).toBe(
      `${name} is no property of an import; leave it out, because an import gives each user a new id`,
    );
  });

  it('is named, unless it may be personal data', () => {
    const rest = `it may contain only ${KNOWN.join(', ')}`;
    expect(unknownNameFault('column', 'colour', KNOWN)).toBe(`colour is no column of an import; ${rest}`);
    for (const name of ['ada@example.com', 'x'.repeat(41), '+49 (30) 1234', ''])
      expect(unknownNameFault('column', name, KNOWN)).toBe(`contains an unknown column; ${rest}`);
  });

  it('is described whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(unknownNameFault('property', name, KNOWN)).toMatch(/property/);
      }),
    );
  });
});
