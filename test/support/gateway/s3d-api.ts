import { AdminFailure, type AdminRoutes, copyDatabase } from './admin-routes.ts';

/** The admin API of s3d (default port 8001). */
export const s3dRoutes: AdminRoutes = {
  'GET /stats/uploads': (_request, { objects, world }) => {
    const pending = objects.pending();
    const uploaded = objects.all().filter((object) => !objects.isPending(object));
    return {
      pendingObjects: pending.objects,
      pendingSize: pending.bytes,
      uploadedObjects: uploaded.length,
      uploadedSize: uploaded.reduce((sum, object) => sum + object.sizeBytes, 0),
      failedUploads: world.failedUploads,
      orphanedObjects: objects.orphans,
      multipartUploads: 0,
    };
  },
  'POST /objects/flush': (_request, { objects, world }) => {
    if (world.uploads === 'stuck') {
      world.failedUploads += 1;
      throw new AdminFailure(500, 'failed to upload objects: no more hosts available');
    }
    objects.flush();
    return undefined;
  },
  'POST /system/sqlite3/backup': ({ body }, { objects }) => copyDatabase(body, objects),
};
