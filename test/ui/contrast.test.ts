import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Contrast of the design tokens (WCAG 2.2, 1.4.3 and 1.4.11), computed, because no checker sees every state. */
const css = readFileSync('ui/src/styles/tokens.css', 'utf8');

function colour(token: string, theme: 'light' | 'dark'): readonly number[] {
  const [, light, dark] = new RegExp(`--${token}: light-dark\\(#(\\w{6}), #(\\w{6})\\)`).exec(css) ?? [];
  const hex = theme === 'light' ? light : dark;
  if (hex === undefined) throw new Error(`no token --${token}`);
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
}

function luminance(rgb: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string, theme: 'light' | 'dark'): number {
  const [x, y] = [luminance(colour(a, theme)), luminance(colour(b, theme))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const tones = ['good', 'notice', 'bad', 'quiet', 'accent'];
const text: readonly (readonly [string, string])[] = [
  ...['ink', 'ink-soft', ...tones].flatMap((ink) =>
    ['page', 'surface', 'raised'].map((ground) => [ink, ground] as const),
  ),
  ...tones.map((tone) => [tone, `${tone}-soft`] as const),
  ['on-accent', 'accent'],
  ['ink', 'bad-soft'],
  ['ink-soft', 'quiet-soft'],
];

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  it.each(text)('%s on %s is at least 4.5 : 1', (ink, ground) => {
    expect(contrast(ink, ground, theme)).toBeGreaterThanOrEqual(4.5);
  });
});
