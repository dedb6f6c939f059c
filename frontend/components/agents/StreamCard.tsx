"use client";

import { memo, useState } from "react";
import { agentBar, numberOf } from "@/lib/agents";
import { cn } from "@/lib/cn";
import { describe } from "@/lib/state";
import { AttemptView } from "./AttemptView";
import { CardBody } from "./CardBody";
import { CardFooter } from "./CardFooter";
import { CardHeader } from "./CardHeader";
import { CardReason } from "./CardReason";
import { CardTools } from "./CardTools";
import type { CardActions, CardModel } from "./card";
import { EarlierAttempts } from "./EarlierAttempts";
import { gapWords, Mark } from "./parts/Mark";
import { Waiting } from "./Waiting";

type Props = {
  card: CardModel;
  actions: CardActions;
  focused: boolean;
  /** Everything stored has been shown, so new text is news. */
  caughtUp: boolean;
};

/** One variation: what it is, what it says, what it costs, what can be done with it. */
export const StreamCard = memo(({ card, actions, focused, caughtUp }: Props) => {
  const [chosen, setRaw] = useState<boolean>();
  const raw = chosen ?? card.plain;
  const { variation, attempt, summary, active } = card;
  const number = numberOf(variation.index);
  const writing = active && !attempt?.end;
  const empty = !attempt || attempt.parts.length === 0;
  return (
    <article
      aria-label={`Variation ${number}, ${describe(summary?.state ?? "queued").word}`}
      className={cn(
        "flex min-h-0 min-w-0 flex-col overflow-hidden rounded-lg border bg-card",
        card.picked && "border-brand-ink ring-1 ring-brand-ink",
      )}
    >
      <div aria-hidden className={cn("h-1 shrink-0", agentBar(variation.index))} />
      <CardHeader card={card}>
        <CardTools card={card} actions={actions} focused={focused} raw={raw} onRaw={setRaw} />
      </CardHeader>
      <CardBody label={`Text of variation ${number}`} live={active && caughtUp}>
        <EarlierAttempts variation={variation} current={attempt} raw={raw} />
        {attempt && <AttemptView attempt={attempt} open={writing} raw={raw} />}
        {variation.pendingGap && !attempt?.end && (
          <Mark tone="wait">{gapWords(0, variation.pendingGap)}</Mark>
        )}
        <CardReason card={card} />
        {empty && active && <Waiting summary={summary} />}
      </CardBody>
      <CardFooter card={card} actions={actions} />
    </article>
  );
});
StreamCard.displayName = "StreamCard";
