import { type Column, RecordPrinter } from './print-records.js';

/** The properties of a user that the client prints. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly status: string;
  readonly roles: readonly string[];
}

export const userColumns: readonly Column<User>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'EMAIL', value: ({ email }) => email },
  { title: 'ROLES', value: ({ roles }) => roles.join(',') },
  { title: 'NAME', value: ({ name }) => name },
];

export const printUser = (user: User, isJson = false): void =>
  new RecordPrinter(userColumns, isJson).print([user]);
