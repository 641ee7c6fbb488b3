import type { ServerResponse } from 'node:http';
import type { Fault } from './faults.ts';
import type { Answer } from './http.ts';
import type { Stats } from './stats.ts';

/** Writes an answer, or as much of it as the fault allows. */
export function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
  context: { readonly stats: Stats; readonly nowMs: number },
): void {
  const body = Buffer.from(answer.body ?? '');
  const headers: Record<string, string> = { date: new Date(context.nowMs).toUTCString(), ...answer.headers };
  if (fault?.kind === 'truncate') {
    // Neither a length nor chunks: the end of the connection is the end of the body.
    response.useChunkedEncodingByDefault = false;
    response.writeHead(answer.status, { ...headers, connection: 'close' });
    response.end(body.subarray(0, fault.atByte));
    return;
  }
  response.writeHead(answer.status, { 'content-length': String(body.byteLength), ...headers });
  context.stats.bytesOut += body.byteLength;
  if (fault?.kind === 'cut') {
    const head = body.subarray(0, Math.min(fault.atByte, Math.max(0, body.byteLength - 1)));
    response.write(head, () => {
      response.destroy();
    });
    return;
  }
  if (fault?.kind === 'stall') {
    response.write(body.subarray(0, fault.atByte));
    return;
  }
  response.end(fault?.kind === 'corrupt' ? flipped(body, fault.atByte) : body);
}

function flipped(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body);
  if (at < copy.byteLength) copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}
