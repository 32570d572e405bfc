import { ApiProperty } from '@nestjs/swagger';
import type { Proof } from '../sealing/seals.service.js';
import { SealResponse, toSealResponse } from './seal.response.js';

export class ProofResponse {
  /** The base64 bytes of the entry as stored, with personal values encrypted. Their hash is the leaf */
  @ApiProperty({ format: 'byte', example: 'AQAAAAExAAAAAzcwMA==' })
  leaf_data: string;

  /** The index of the leaf, from 0 */
  @ApiProperty({ type: 'integer', minimum: 0, maximum: 9999, example: 3 })
  leaf_index: number;

  /** The number of leaves in the tree, which equals the number of entries in the seal */
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 10_000, example: 12 })
  tree_size: number;

  /** The hashes on the way from the leaf to the root, from the bottom up */
  @ApiProperty({
    type: 'array',
    maxItems: 14,
    items: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    example: ['c3'.repeat(32)],
  })
  path: string[];

  seal: SealResponse;
}

export const toProofResponse = ({ leafData, index, path, seal }: Proof): ProofResponse => ({
  leaf_data: leafData.toString('base64'),
  leaf_index: index,
  tree_size: seal.entries,
  path: path.map((hash) => hash.toString('hex')),
  seal: toSealResponse(seal),
});
