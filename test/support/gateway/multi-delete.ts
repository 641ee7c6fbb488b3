import { createHash } from 'node:crypto';
import { type Answer, escapeXml, header, readBody, S3Failure, unescapeXml } from './http.ts';
import type { Objects } from './objects.ts';
import type { Quirks } from './profiles.ts';
import type { S3Request } from './s3-request.ts';

/** DeleteObjects: a missing key counts as deleted, on every profile. @throws S3Failure where the profile refuses. */
export async function deleteObjects(request: S3Request, objects: Objects, quirks: Quirks): Promise<Answer> {
  if (quirks.multiDelete === 'absent') throw new S3Failure(501, 'NotImplemented', 'DeleteObjects is not implemented');
  const body = await readBody(request.raw);
  const md5 = header(request.raw, 'content-md5');
  if (quirks.multiDelete === 'needs-md5' && md5 === '') {
    throw new S3Failure(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  if (md5 !== '' && createHash('md5').update(body).digest('base64') !== md5) throw new S3Failure(400, 'BadDigest');
  const keys = [...body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => unescapeXml(key));
  if (keys.length > 1000) throw new S3Failure(400, 'MalformedXML', 'more than 1000 keys');
  for (const key of keys) await objects.delete(request.bucket, key);
  const deleted = keys.map((key) => `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`);
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?><DeleteResult>${deleted.join('')}</DeleteResult>`,
  };
}
