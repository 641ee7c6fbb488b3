import { afterAll, beforeAll, describe } from 'vitest';
import { Secret } from '../../../../src/core/secret.ts';
import { openSiaStorage } from '../../../../src/engine/storage/sia/sia-storage.ts';
import type { Storage } from '../../../../src/engine/storage/storage.ts';
import { storageContract } from '../../../contracts/storage-contract.ts';
import { type Gateway, startGateway } from '../../../support/gateway/gateway.ts';
import type { ProfileName } from '../../../support/gateway/profiles.ts';
import { storeOn } from './s3.fixture.ts';

/** A prefix for each test, so that one gateway serves all of them. */
function contractOn(
  name: string,
  profile: ProfileName,
  open: (gateway: Gateway, prefix: string) => Storage | Promise<Storage>,
): void {
  describe(`simulated ${name}`, () => {
    let gateway: Gateway;
    let count = 0;
    beforeAll(async () => {
      gateway = await startGateway({ profile });
    });
    afterAll(() => gateway.close());
    const make = async (): Promise<{ storage: Storage }> => {
      count += 1;
      return { storage: await open(gateway, `test${String(count)}/`) };
    };
    storageContract(name, make, { largeBytes: 300_000, manyObjects: name === 'aws' ? 1100 : 40 });
  });
}

contractOn('aws', 'aws', (gateway, prefix) => storeOn(gateway, { prefix, conditionalPut: true }));
contractOn('aws without proof', 'aws', (gateway, prefix) => storeOn(gateway, { prefix }));
contractOn('b2', 'b2', (gateway, prefix) => storeOn(gateway, { prefix }));
contractOn('gcs', 'gcs', (gateway, prefix) => storeOn(gateway, { prefix }));
contractOn('swift', 'swift', (gateway, prefix) => storeOn(gateway, { prefix }));
for (const profile of ['renterd', 's3d'] as const) {
  contractOn(profile, profile, (gateway, prefix) => {
    const { url: endpoint, adminUrl: api = '', bucket, accessKey } = gateway;
    const password = new Secret(gateway.adminPassword);
    const secretKey = new Secret(gateway.secretKey);
    return openSiaStorage({ endpoint, bucket, prefix, accessKey, secretKey, gateway: { api, password } });
  });
}
