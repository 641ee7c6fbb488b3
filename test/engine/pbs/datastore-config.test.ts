import { describe, expect, it } from 'vitest';
import { parseDatastoreConfig } from '../../../src/engine/pbs/datastore-config.ts';

describe('the list of datastores of PBS', () => {
  it('is read section by section', () => {
    const text = [
      'datastore: main',
      '\tcomment a "strange: one"',
      '\tpath /mnt/main',
      '\tgc-schedule daily',
      '',
      'datastore: usb',
      '\tpath backups',
      '\tbacking-device 1234-ABCD',
      '\tmaintenance-mode type=offline,message="back soon"',
      '',
      '# a comment',
      'something-else: x',
      '\tpath /mnt/other',
      'datastore: cloud',
      '  path /mnt/cache',
      '  backend type=s3,client=c1,bucket=b',
      '  maintenance-mode read-only',
      'datastore: ../bad',
      '\tpath /mnt/bad',
    ].join('\n');
    expect(parseDatastoreConfig(text)).toEqual([
      { name: 'main', path: '/mnt/main', backend: 'filesystem', maintenance: undefined },
      { name: 'usb', path: '/mnt/datastore/usb', backend: 'filesystem', maintenance: 'offline' },
      { name: 'cloud', path: '/mnt/cache', backend: 's3', maintenance: 'read-only' },
    ]);
  });

  it('may be empty or nonsense', () => {
    expect(parseDatastoreConfig('')).toEqual([]);
    expect(parseDatastoreConfig('\0\n\tpath x\n: :\n')).toEqual([]);
  });
});
