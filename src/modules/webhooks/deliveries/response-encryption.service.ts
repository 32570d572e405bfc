import { Injectable } from '@nestjs/common';
import { NIL_UUID } from '../../../common/ids.js';
import { UserEncryptionKeys } from '../../../platform/crypto/user-encryption-keys.service.js';

/** Encrypts what receivers answer, because it may repeat personal data. It is erased with the user of the event. */
@Injectable()
export class ResponseEncryption {
  constructor(private readonly keys: UserEncryptionKeys) {}

  /** Returns null for an erased user. */
  async encrypt(deliveryId: string, subject: string, response: Buffer): Promise<Buffer | null> {
    const cipher = await this.keys.encryptionCipher(keyOwner(subject));
    return cipher?.encrypt(response, purpose(deliveryId)) ?? null;
  }

  /** Returns the text of each response; null for one that is missing or erased. */
  async decryptAll(
    deliveryId: string,
    subject: string,
    responses: readonly (Buffer | null)[],
  ): Promise<(string | null)[]> {
    if (responses.every((each) => each === null)) return responses.map(() => null);
    const cipher = await this.keys.decryptionCipher(keyOwner(subject));
    return responses.map((each) =>
      each && cipher ? cipher.decrypt(each, purpose(deliveryId)).toString() : null,
    );
  }
}

/** Returns the user under whose key the event is encrypted. One about another object is under the key of nobody. */
const keyOwner = (subject: string): string => (subject.includes('/') ? NIL_UUID : subject);

const purpose = (deliveryId: string): string => `webhook-response:${deliveryId}`;
