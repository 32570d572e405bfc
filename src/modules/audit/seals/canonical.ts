/** No value is as long as this: it stands for null, as in PostgreSQL's own protocol. */
const NULL_LENGTH = 0xff_ff_ff_ff;
const LENGTH_BYTES = 4;

/**
 * Fields as bytes: each with its length before it (4 bytes, big-endian), so that no two rows of
 * fields are the same bytes.
 */
export function encodeFields(fields: readonly (Buffer | null)[]): Buffer {
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(field?.length ?? NULL_LENGTH);
    return field ? [length, field] : [length];
  });
  return Buffer.concat(parts);
}

export const textField = (text: string): Buffer => Buffer.from(text, 'utf8');

export const uuidField = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
