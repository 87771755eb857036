// Where each part of a trace stands in time, and which traces there are.
import type { SpanLine } from "../../generated/SpanLine";

export interface Bar {
  span: SpanLine;
  depth: number;
  /** Both in hundredths of the whole. */
  from: number;
  length: number;
}

const time = (span: SpanLine): number => new Date(span.began).getTime() / 1000;

/** The spans that began a trace, the newest first. */
export function roots(spans: readonly SpanLine[]): SpanLine[] {
  const known = new Set(spans.map((span) => span.span));
  return spans
    .filter((span) => span.parent === null || !known.has(span.parent))
    .sort((a, b) => time(b) - time(a));
}

/** The parts of one trace, each after the one that it is a part of. */
export function waterfall(spans: readonly SpanLine[]): Bar[] {
  if (spans.length === 0) return [];
  const begin = Math.min(...spans.map(time));
  const whole = Math.max(...spans.map((span) => time(span) - begin + span.seconds), 0.001);
  const known = new Set(spans.map((span) => span.span));
  const bars: Bar[] = [];
  const seen = new Set<string>();
  const add = (span: SpanLine, depth: number): void => {
    if (seen.has(span.span)) return;
    seen.add(span.span);
    const from = ((time(span) - begin) / whole) * 100;
    bars.push({ span, depth, from, length: Math.max(0.5, (span.seconds / whole) * 100) });
    const parts = spans.filter((part) => part.parent === span.span);
    for (const part of parts.sort((a, b) => time(a) - time(b))) add(part, depth + 1);
  };
  const tops = spans.filter((span) => span.parent === null || !known.has(span.parent));
  for (const top of tops.sort((a, b) => time(a) - time(b))) add(top, 0);
  return bars;
}

/** Which rows of a long list are on the screen, with some beside them. */
export function visible(
  top: number,
  height: number,
  row: number,
  count: number,
): { first: number; last: number } {
  const SPARE = 8;
  const first = Math.max(0, Math.floor(top / row) - SPARE);
  return { first, last: Math.min(count, Math.ceil((top + height) / row) + SPARE) };
}
