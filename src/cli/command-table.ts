import { exportCommand } from './commands/export.command.js';
import { importCommand } from './commands/import.command.js';
import { userCommands } from './commands/users.command.js';
import { verifyCommand } from './commands/verify.command.js';
import type { Command } from './command-line/command.types.js';

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [exportCommand, importCommand, verifyCommand, ...userCommands];
