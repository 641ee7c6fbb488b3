/** What goes between the daemon and its watch process. `id` names one watched datastore. */
import type { ScannedGroup } from './trigger.ts';

export type ToWatchProcess =
  | { readonly type: 'watch'; readonly id: number; readonly datastore: string }
  | { readonly type: 'unwatch'; readonly id: number };

export type FromWatchProcess =
  | { readonly type: 'scanned'; readonly id: number; readonly groups: readonly ScannedGroup[] }
  | { readonly type: 'problem'; readonly id: number; readonly text: string | undefined };
