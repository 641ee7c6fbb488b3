/** The simulator as a process of its own: `main.ts --profile renterd --directory DIR --port N`. Ends on SIGTERM or SIGINT. */
import { parseArgs } from 'node:util';
import { startGateway } from './gateway.ts';
import { type ProfileName, profiles } from './profiles.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'renterd' },
    directory: { type: 'string' },
    port: { type: 'string', default: '0' },
    'admin-port': { type: 'string', default: '0' },
    bucket: { type: 'string', default: 'nestegg' },
    'latency-ms': { type: 'string', default: '0' },
  },
});

function profileName(text: string): ProfileName {
  const names = Object.keys(profiles) as ProfileName[];
  const found = names.find((name) => name === text);
  if (found === undefined) throw new Error(`--profile must be one of ${names.join(', ')}`);
  return found;
}

const gateway = await startGateway({
  profile: profileName(values.profile),
  directory: values.directory,
  port: Number(values.port),
  adminPort: Number(values['admin-port']),
  bucket: values.bucket,
  latencyMs: Number(values['latency-ms']),
});

// One line of JSON tells the parent where to find it.
const { profile, url, adminUrl, adminPassword, accessKey, secretKey, bucket } = gateway;
process.stdout.write(
  `${JSON.stringify({ simulated: true, profile, url, adminUrl, adminPassword, accessKey, secretKey, bucket })}\n`,
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void gateway.close();
  });
}
