"use client";

import { GitCommitHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import type { CardModel } from "@/components/agents/card";
import { StateBadge } from "@/components/agents/StateBadge";
import { useNow } from "@/hooks/useNow";
import { formatClock, formatCost, formatCount, formatDuration, shortRepo } from "@/lib/format";
import { figuresOf, totalsOf } from "@/lib/numbers";
import type { RunState } from "@/lib/reduce";
import { countStates, describeRun } from "@/lib/state";
import { commitOf } from "./cards";

type Props = { run: RunState; cards: readonly CardModel[] };

/** Where, in what state, for how long and for how much. */
export const RunFacts = ({ run, cards }: Props) => {
  const { summary, spec } = run;
  const now = useNow(summary?.status === "open");
  const totals = totalsOf(cards.map((c) => figuresOf(c.attempt, c.summary, c.plain)));
  const commit = commitOf(spec?.source);
  const mixed = summary !== undefined && new Set(summary.variations.map((v) => v.state)).size > 1;
  if (!summary) return null;
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-caption text-ink-soft tabular-nums">
      <StateBadge {...describeRun(summary)} />
      {mixed && <span>{countStates(summary)}</span>}
      {spec?.source && (
        <span className="inline-flex min-w-0 items-center gap-1" title={spec.source.repo}>
          <GitCommitHorizontal aria-hidden className="size-3.5 shrink-0" />
          <span className="truncate">{shortRepo(spec.source.repo)}</span>
          {commit && <span className="font-mono">@ {commit}</span>}
        </span>
      )}
      {spec?.mode === "exec" && <span>command</span>}
      {summary.created != null && (
        <Fact name="elapsed">
          {summary.finished == null
            ? formatClock(now - summary.created)
            : formatDuration(summary.finished - summary.created)}
        </Fact>
      )}
      {totals.tokens > 0 && (
        <Fact name="tokens">
          {totals.estimated && "≈"}
          {formatCount(totals.tokens)}
        </Fact>
      )}
      {totals.costUsd !== undefined && <Fact name="cost">{formatCost(totals.costUsd)}</Fact>}
    </div>
  );
};

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <span>
    <span className="font-medium text-ink">{children}</span> {name}
  </span>
);
