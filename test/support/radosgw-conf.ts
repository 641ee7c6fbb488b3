import { createServer, type AddressInfo } from 'node:net';

export interface RadosgwLayout {
  /** Scratch directory of this cluster. */
  readonly directory: string;
  readonly fsid: string;
  /** Address of the monitor: `[v2:127.0.0.1:1,v1:127.0.0.1:2]`. */
  readonly monitor: string;
}

/** The whole configuration; the one of each gateway differs in its port, its files and its limit of requests. */
export function cephConf(layout: RadosgwLayout, port: number, maxConcurrentRequests: number | undefined): string {
  const { directory, fsid, monitor } = layout;
  const gateway = `rgw-${String(port)}`;
  return `[global]
fsid = ${fsid}
mon_host = ${monitor}
public_network = 127.0.0.0/8
keyring = ${directory}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_crit = 1
osd_objectstore = memstore
memstore_device_bytes = 4294967296
run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.$pid.asok
pid_file = ${directory}/run/$name.pid
log_file = ${directory}/log/$name.log

[mon.a]
mon_data = ${directory}/mon

[osd.0]
osd_data = ${directory}/osd

[client.admin]
rgw_data = ${directory}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${String(port)}
pid_file = ${directory}/run/${gateway}.pid
log_file = ${directory}/log/${gateway}.log
${maxConcurrentRequests === undefined ? '' : `rgw_max_concurrent_requests = ${String(maxConcurrentRequests)}\n`}`;
}

/** Ports that are free now, all different. */
export async function freePorts(count: 4): Promise<[number, number, number, number]>;
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
