import { describe, expect, it } from '@jest/globals';
import { parseUtf8MediaType } from './media-type.js';

describe('utf8Type', () => {
  it.each([
    'application/json',
    ' application/json ',
    'Application/JSON',
    'application/json;',
    'application/json; ;',
    'application/json;charset=utf-8',
    'application/json; charset=utf8',
    'application/json; charset=UTF8',
    'application/json ; CHARSET = utf-8',
    'application/json; charset="utf-8"',
    'application/json; charset="utf8" ; version=1',
    "application/json; charset='utf-8'",
    'application/json; charset=" utf-8 "',
    'application/json; charset="ut\\f-8"',
    'application/json; charset=unicode-1-1-utf-8',
    'application/json; charset=us-ascii',
    'application/json; charset=',
    'application/json; charset',
    'application/json; charset=""',
    'application/json; profile="a;charset=latin1"',
    'application/json; odata.metadata=minimal; q=1',
  ])('returns application/json for %s', (contentType) => {
    expect(parseUtf8MediaType(contentType)).toBe('application/json');
  });

  it.each([
    '',
    'json',
    'application/',
    'application json',
    'application/json, application/json',
    'application/json; charset=latin1',
    'application/json; charset="iso-8859-1"',
    'application/json; charset=utf-16',
    'application/json; charset=utf-7',
    'application/json; charset=windows-1252',
    'application/json; charset=x',
  ])('returns null for %s', (contentType) => {
    expect(parseUtf8MediaType(contentType)).toBeNull();
  });
});
