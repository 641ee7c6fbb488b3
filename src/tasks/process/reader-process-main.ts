/** Entry of a reader process: started by `ReaderHost` and by nothing else. */
import { openReader } from '../kinds/reader.ts';
import { serveReader } from './reader-process.ts';
import { hostLink } from './task-process.ts';

serveReader(openReader, hostLink());
