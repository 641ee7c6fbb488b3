import { register } from 'tsx/esm/api';

register();
const [, , module] = process.argv;
process.argv.splice(2, 1);
await import(String(module));
