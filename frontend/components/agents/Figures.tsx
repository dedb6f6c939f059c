"use client";

import { useNow } from "@/hooks/useNow";
import { formatClock, formatCost, formatCount, formatDuration, formatRate } from "@/lib/format";
import { elapsedMs, figuresOf } from "@/lib/numbers";
import type { Attempt } from "@/lib/parts";
import type { VariationSummary } from "@/lib/run";

type Props = { attempt?: Attempt; summary?: VariationSummary; active: boolean };

/** The live numbers of a card. What the agent has not reported is marked as about. */
export const Figures = ({ attempt, summary, active }: Props) => {
  const now = useNow(active && attempt !== undefined);
  const f = figuresOf(attempt, summary);
  if (!attempt && f.tokens === undefined) return <span className="flex-1" />;
  const about = f.estimated ? "≈" : "";
  const exact = f.estimated ? "estimated from the text" : "as reported by the model's server";
  return (
    <dl className="flex min-w-0 flex-1 flex-wrap gap-x-3.5 gap-y-0.5 text-caption tabular-nums">
      <Figure name="tokens" title={`Tokens written, ${exact}`}>
        {f.tokens === undefined ? "–" : about + formatCount(f.tokens)}
      </Figure>
      <Figure name="tok/s" title={`Tokens per second, ${exact}`}>
        {f.perSecond === undefined ? "–" : about + formatRate(f.perSecond)}
      </Figure>
      <Figure name="first" title="Time to the first token">
        {formatDuration(f.ttftMs)}
      </Figure>
      <Figure name="time" title="Elapsed">
        {formatClock(elapsedMs(attempt, summary, now))}
      </Figure>
      {f.costUsd !== undefined && (
        <Figure name="cost" title="Cost, by the model's price">
          {formatCost(f.costUsd)}
        </Figure>
      )}
    </dl>
  );
};

const Figure = ({ name, title, children }: { name: string; title: string; children: string }) => (
  <div title={title} className="flex flex-row-reverse items-baseline gap-1">
    <dt className="text-ink-soft">{name}</dt>
    <dd className="font-medium">{children}</dd>
  </div>
);
