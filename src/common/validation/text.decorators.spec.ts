import { describe, expect, it } from '@jest/globals';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { IsEmailAddress, IsName, IsOptionalProperty, IsPassword, IsText } from './text.decorators.js';

class Input {
  @IsOptionalProperty()
  @IsName()
  name?: unknown;

  @IsOptionalProperty()
  @IsEmailAddress()
  email?: unknown;

  @IsOptionalProperty()
  @IsPassword()
  password?: unknown;

  @IsOptionalProperty()
  @IsText(0, 5)
  search?: unknown;
}

class Required {
  @IsName()
  name: string;

  @IsEmailAddress()
  email: string;

  @IsPassword()
  password: string;
}

const read = (body: object): Input => plainToInstance(Input, body);
const faults = (body: object, type: new () => object = Input): string[] =>
  validateSync(plainToInstance(type, body)).flatMap((error) => Object.values(error.constraints ?? {}));
const schema = (property: string, type: new () => object = Input): unknown =>
  Reflect.getMetadata('swagger/apiModelProperties', type.prototype, property);

describe('IsOptionalProperty', () => {
  it('accepts an absent or undefined property, but not null', () => {
    expect(faults({})).toEqual([]);
    expect(faults({ name: undefined })).toEqual([]);
    expect(faults({ name: null })).toEqual(['name must be a string']);
    expect(faults({ email: null })).toEqual(['email must be an email']);
  });

  it('is documented in the schema', () => {
    expect(schema('name')).toMatchObject({ required: false, minLength: 1, maxLength: 100 });
    expect(schema('name', Required)).not.toHaveProperty('required');
  });

  it('leaves other properties required', () => {
    expect(faults({}, Required)).toEqual([
      'name must be a string',
      'email must be an email',
      'password must be a string',
    ]);
  });
});

describe('IsName', () => {
  it.each(['A', 'Ada Lovelace', '山田', '😀'.repeat(100), "O'Connor-Núñez"])('accepts %j', (name) => {
    expect(faults({ name })).toEqual([]);
  });

  it('trims white space around the name only', () => {
    expect(read({ name: '  Ada  King\u3000' }).name).toBe('Ada  King');
    expect(faults({ name: ` ${'a'.repeat(100)} ` })).toEqual([]);
  });

  it.each([
    ['', 'name must be 1 to 100 characters'],
    ['   ', 'name must be 1 to 100 characters'],
    ['a'.repeat(101), 'name must be 1 to 100 characters'],
    ['\u200b\u3164', 'name must contain a visible character'],
    ['Ada\r\nKing', 'name must not contain control characters'],
    ['Ada\n', 'name must not contain control characters'],
    ['Ada\ud800', 'name must not contain control characters'],
    [1, 'name must be a string'],
    [['Ada'], 'name must be a string'],
    [{}, 'name must be a string'],
  ])('rejects %j', (name, message) => {
    expect(faults({ name })).toEqual([message]);
  });
});

describe('IsEmailAddress', () => {
  it('keeps the address as given, but trimmed', () => {
    expect(read({ email: ' Ada@Example.com ' }).email).toBe('Ada@Example.com');
    expect(faults({ email: ' Ada@Example.com ' })).toEqual([]);
  });

  it.each([
    ['ada', 'email must be an email'],
    ['ada@example.com\r\nBcc: eve@example.com', 'email must be an email'],
    ['ada＠example.com', 'email must be an email'],
    [['ada@example.com'], 'email must be an email'],
    [{ toString: 1 }, 'email must be an email'],
    [`${'a'.repeat(243)}@example.com`, 'email must be at most 254 characters'],
    ['@.'.repeat(25_000), 'email must be at most 254 characters'],
  ])('rejects %j', (email, message) => {
    expect(faults({ email })).toEqual([message]);
  });

  it('is documented in the schema', () => {
    expect(schema('email')).toMatchObject({ format: 'email', maxLength: 254 });
  });
});

describe('IsPassword', () => {
  it.each([
    'a'.repeat(8),
    'a'.repeat(128),
    '😀'.repeat(128),
    'e\u0301'.repeat(128),
    '\u03b1\u0313\u0300\u0345'.repeat(128),
    '        ',
  ])('accepts %j', (password) => {
    expect(faults({ password })).toEqual([]);
  });

  it('keeps the password as sent', () => {
    expect(read({ password: '  e\u0301xact  ' }).password).toBe('  e\u0301xact  ');
  });

  it.each([
    ['a'.repeat(7), 'password must be 8 to 128 characters'],
    ['a'.repeat(129), 'password must be 8 to 128 characters'],
    ['e\u0301'.repeat(7), 'password must be 8 to 128 characters'],
    ['a'.repeat(100_000), 'password must be 8 to 128 characters'],
    ['with\ttabulator', 'password must not contain control characters'],
    [12345678, 'password must be a string'],
  ])('rejects %j', (password, message) => {
    expect(faults({ password })).toEqual([message]);
  });

  it('is documented in the schema', () => {
    expect(schema('password')).toMatchObject({ format: 'password', minLength: 8, maxLength: 128 });
  });
});

describe('IsText', () => {
  it('counts code points and rejects control characters', () => {
    expect(faults({ search: '' })).toEqual([]);
    expect(faults({ search: '😀'.repeat(5) })).toEqual([]);
    expect(faults({ search: '123456' })).toEqual(['search must be at most 5 characters']);
    expect(faults({ search: 'a\n' })).toEqual(['search must not contain control characters']);
  });
});
