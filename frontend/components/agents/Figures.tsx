"use client";

import { useNow } from "@/hooks/useNow";
import { formatClock, formatCost, formatCount, formatDuration, formatRate } from "@/lib/format";
import { elapsedMs, figuresOf, stepsOf } from "@/lib/numbers";
import type { CardModel } from "./card";

/** The live numbers of a card; none that is not known. What the agent has not reported is marked as about. */
export const Figures = ({ card: { attempt, summary, active, plain } }: { card: CardModel }) => {
  const now = useNow(active && attempt !== undefined);
  const f = figuresOf(attempt, summary, plain);
  const elapsed = elapsedMs(attempt, summary, now);
  const began = stepsOf(summary?.startup).map((s) => `${s.name} +${formatDuration(s.ms)}`);
  const about = f.estimated ? "≈" : "";
  const source = f.estimated ? "estimated from the text" : "as reported by the model's server";
  return (
    <dl className="flex min-w-0 flex-1 flex-wrap gap-x-3.5 gap-y-0.5 text-caption tabular-nums">
      {f.tokens !== undefined && (
        <Figure name="tokens" title={`Tokens written, ${source}`}>
          {about + formatCount(f.tokens)}
        </Figure>
      )}
      {f.perSecond !== undefined && (
        <Figure name="tok/s" title={`Tokens per second, ${source}`}>
          {about + formatRate(f.perSecond)}
        </Figure>
      )}
      {f.ttftMs !== undefined && (
        <Figure name="first" title="Time to the first token">
          {formatDuration(f.ttftMs)}
        </Figure>
      )}
      {elapsed !== undefined && (
        <Figure name="time" title={["Elapsed", ...began].join("\n")}>
          {active ? formatClock(elapsed) : formatDuration(elapsed)}
        </Figure>
      )}
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
