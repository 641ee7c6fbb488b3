/** How a command is written: it adds itself to the program and runs with a session. */
import type { Command } from 'commander';
import type { Session } from '../session.ts';

/** What the program does around each command: makes the session, runs `act`, keeps the exit code. */
export type Run = (act: (session: Session) => Promise<number>) => Promise<void>;

export type AddCommand = (program: Command, run: Run) => void;
