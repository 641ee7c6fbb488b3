import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { initRepository, type NewRepository } from '../../../src/engine/repository/init.ts';
import { openRepository, recoveryCodeOf } from '../../../src/engine/repository/open.ts';
import type { Credential } from '../../../src/engine/repository/unlock.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import '../../support/repository.ts';

/** The floor of the format: a test need not take as long as an attacker should. */
const cost = { memoryKiB: 65_536, passes: 1, lanes: 1 };
const password = new Secret('correct horse');

function init(storage: Storage): Promise<NewRepository> {
  return initRepository({ storage, password, cost, clock: new FakeClock(), random: systemRandom });
}

function open(storage: Storage, credential: Credential) {
  const parts = { clock: new FakeClock(), random: systemRandom, logger: silentLogger };
  return openRepository({ name: 'test', storage, credential, stateDirectory: undefined, locks: undefined, ...parts });
}

describe('init, unlock and open', () => {
  it('opens with the password, with the recovery code, and with keys unlocked before', async () => {
    const storage = new MemoryStorage();
    const made = await init(storage);
    const byPassword = await open(storage, { type: 'password', password });
    const byCode = await open(storage, { type: 'recovery-code', code: made.recoveryCode });
    const unlocked = await open(storage, { type: 'unlocked', unlocked: byPassword.unlocked });
    for (const { repository } of [byPassword, byCode, unlocked]) {
      expect(repository.id).toBe(made.id);
      expect(repository.warnings).toEqual([]);
    }
    expect(byCode.unlocked).toEqual(byPassword.unlocked);
    expect(recoveryCodeOf(byPassword.unlocked).reveal()).toBe(made.recoveryCode.reveal());
  });

  it('reads with the code when every key object is gone', async () => {
    const storage = new MemoryStorage();
    const made = await init(storage);
    for await (const { name } of storage.list('keys/')) await storage.delete(name);
    await storage.delete('nestegg.json');
    const credential = { type: 'recovery-code', code: made.recoveryCode } as const;
    expect((await open(storage, credential)).repository.id).toBe(made.id);
    await storage.put('nestegg.json', utf8('this hint is broken'));
    const { repository, unlocked } = await open(storage, credential);
    expect(repository.id).toBe(made.id);
    expect(unlocked.owner).toBeUndefined();
  });

  it('refuses a wrong password and the code of another repository', async () => {
    const storage = new MemoryStorage();
    await init(storage);
    const other = await init(new MemoryStorage());
    const wrong = { type: 'password', password: new Secret('wrong') } as const;
    await expect(open(storage, wrong)).rejects.toMatchObject({ code: 'repository.password' });
    await expect(open(storage, { type: 'recovery-code', code: other.recoveryCode })).rejects.toMatchObject({
      code: 'repository.password',
    });
  });

  it('passes over damaged and foreign key slots', async () => {
    const storage = new MemoryStorage();
    const made = await init(storage);
    await storage.put(`keys/${'0'.repeat(32)}`, utf8('garbage'));
    await storage.put(`keys/${'1'.repeat(32)}`, utf8('{"magic":"nestegg key","format":2}'));
    const { repository } = await open(storage, { type: 'password', password });
    expect(repository.id).toBe(made.id);
  });

  it('creates nothing where something is, and says where there is nothing', async () => {
    const storage = new MemoryStorage();
    await expect(open(storage, { type: 'password', password })).rejects.toMatchObject({ code: 'repository.missing' });
    await storage.put('probe/left-behind', utf8('x'));
    await init(storage);
    await expect(init(storage)).rejects.toMatchObject({ code: 'repository.exists' });
    const strange = new MemoryStorage();
    await strange.put('holiday.jpg', utf8('x'));
    await expect(init(strange)).rejects.toMatchObject({ code: 'repository.exists' });
  });

  it('notices at once a store that does not show what it confirmed', async () => {
    const honest = new MemoryStorage();
    const lying = new Proxy(honest, {
      get(target, key, receiver) {
        if (key === 'put') {
          return (name: string, bytes: Uint8Array) =>
            name === 'nestegg.json' ? Promise.resolve('created') : target.put(name, bytes);
        }
        const value: unknown = Reflect.get(target, key, receiver);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await expect(init(lying)).rejects.toThrow();
  });
});
