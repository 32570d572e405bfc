/** The length that marks null, as -1 does in PostgreSQL's protocol. No value is that long. */
const NULL_LENGTH = 0xff_ff_ff_ff;
const LENGTH_BYTES = 4;

/**
 * Encodes fields as bytes, each after its length (4 bytes, big-endian), so that different fields never encode
 * to the same bytes.
 */
export function encodeFields(fields: readonly (Buffer | null)[]): Buffer {
  const size = fields.reduce((sum, field) => sum + LENGTH_BYTES + (field?.length ?? 0), 0);
  const encoded = Buffer.allocUnsafe(size);
  let at = 0;
  for (const field of fields) {
    at = encoded.writeUInt32BE(field?.length ?? NULL_LENGTH, at);
    if (field) at += field.copy(encoded, at);
  }
  return encoded;
}

export const textField = (text: string): Buffer => Buffer.from(text, 'utf8');

export const uuidField = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
