import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventParser, type ServerSentEvent } from '../../../ui/src/model/sse.ts';

const stream = [
  ': a comment keeps the connection alive\n',
  'id: boot-1\nevent: task\ndata: {"a":1}\n\n',
  'data: two\ndata: lines\n\n',
  'event: nothing\n\n',
  'data:no space\r\n\r\n',
  'data: {"last":true}\rid: boot-2\r\r\n',
].join('');

const events: readonly ServerSentEvent[] = [
  { id: 'boot-1', data: '{"a":1}' },
  { id: undefined, data: 'two\nlines' },
  { id: undefined, data: 'no space' },
  { id: 'boot-2', data: '{"last":true}' },
];

describe('the event parser', () => {
  it('reads ids, data of several lines, comments and all three line ends', () => {
    expect(eventParser()(stream)).toEqual(events);
  });

  it('gives the same events wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (places) => {
        const cuts = [0, ...places.sort((a, b) => a - b), stream.length];
        const parse = eventParser();
        const found = cuts.slice(1).flatMap((end, index) => parse(stream.slice(cuts[index], end)));
        expect(found).toEqual(events);
      }),
    );
  });

  it('keeps an unfinished event until the rest arrives', () => {
    const parse = eventParser();
    expect(parse('data: ha')).toEqual([]);
    expect(parse('lf\n')).toEqual([]);
    expect(parse('\n')).toEqual([{ id: undefined, data: 'half' }]);
  });
});
