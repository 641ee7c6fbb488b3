/**
 * Server-sent events (HTML standard, section 9.2.6) read from a stream of text, because `EventSource` can not send the
 * token. Comments keep the connection alive and are dropped here.
 */
export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** Takes pieces of text as they arrive and gives the events that are complete. */
export function eventParser(): (text: string) => ServerSentEvent[] {
  let rest = '';
  let id: string | undefined;
  let data: string[] = [];

  function line(text: string): ServerSentEvent[] {
    if (text === '') {
      const event = { id, data: data.join('\n') };
      const complete = data.length > 0;
      data = [];
      id = undefined;
      return complete ? [event] : [];
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    if (field === 'id' && !value.includes('\0')) id = value;
    return [];
  }

  return (text) => {
    rest += text;
    // A carriage return at the very end may be the first half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    return lines.flatMap(line);
  };
}
