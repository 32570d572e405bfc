import { writeFile } from 'node:fs/promises';

/** `npm run migrate:new -- add-webhooks`: creates an empty migration with the next number. */
const what = process.argv[2] ?? '';
if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(what)) {
  console.error('Describe the change in lower case with hyphens: npm run migrate:new -- add-webhooks');
  process.exit(1);
}
const number = Date.now();
const className = what.replace(/(?:^|-)([a-z0-9])/g, (_, letter) => letter.toUpperCase()) + number;
const file = new URL(`../migrations/${number}-${what}.ts`, import.meta.url);
await writeFile(
  file,
  `import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Describe the change in one sentence that begins with a verb: "Adds webhooks and their deliveries." */
export class ${className} implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(\`\`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(\`\`);
  }
}
`,
  { flag: 'wx' },
);
console.log(`migrations/${number}-${what}.ts`);
