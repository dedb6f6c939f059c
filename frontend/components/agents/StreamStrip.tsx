"use client";

import { memo } from "react";
import { agentBar, numberOf } from "@/lib/agents";
import { cn } from "@/lib/cn";
import { answerOf } from "@/lib/parts";
import { describe } from "@/lib/state";
import type { CardActions, CardModel } from "./card";
import { NumberBadge } from "./NumberBadge";
import { StateBadge } from "./StateBadge";

const tailLength = 160;

/** A variation beside the focused one: thin, and still live. */
export const StreamStrip = memo(({ card, actions }: { card: CardModel; actions: CardActions }) => {
  const { index } = card.variation;
  const { word, tone } = describe(card.summary?.state ?? "queued");
  return (
    <button
      type="button"
      aria-label={`Focus variation ${numberOf(index)}, ${word}`}
      onClick={() => actions.focus(index)}
      className="flex min-w-44 flex-1 overflow-hidden rounded-lg border bg-card text-left transition-colors hover:bg-raised lg:max-h-40 lg:min-h-0 lg:min-w-0"
    >
      <span aria-hidden className={cn("w-1 shrink-0", agentBar(index))} />
      <span className="flex min-w-0 flex-1 flex-col gap-1 px-2.5 py-2">
        <span className="flex items-center gap-2">
          <NumberBadge index={index} />
          <span className="min-w-0 flex-1 truncate font-mono text-caption">{card.model}</span>
          <StateBadge word={word} tone={tone} />
        </span>
        <span className="hidden min-h-0 overflow-hidden break-words text-caption text-ink-soft lg:line-clamp-4">
          {answerOf(card.attempt).slice(-tailLength)}
        </span>
      </span>
    </button>
  );
});
StreamStrip.displayName = "StreamStrip";
