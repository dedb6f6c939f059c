"use client";

import { memo, useCallback, useRef, useState } from "react";
import { agentBar, numberOf } from "@/lib/agents";
import { cn } from "@/lib/cn";
import { answerOf } from "@/lib/parts";
import { describe } from "@/lib/state";
import { CardBody } from "./CardBody";
import { CardButtons } from "./CardButtons";
import { CardText } from "./CardText";
import { CardTitle } from "./CardTitle";
import { CardTools } from "./CardTools";
import type { CardActions, CardModel } from "./card";
import { Figures } from "./Figures";

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
  const { summary, active, picked } = card;
  const { index } = card.variation;
  const raw = chosen ?? card.plain;
  const latest = useRef(card.attempt);
  latest.current = card.attempt;
  const answer = useCallback(() => answerOf(latest.current), []);
  const title = {
    index,
    picked,
    model: card.model,
    state: summary?.state,
    attempt: card.attempt?.number,
    traits: card.traits,
  };
  const tools = { index, answer, focus: actions.focus, focused, raw, onRaw: setRaw };
  const stopping = summary?.state === "cancelling";
  return (
    <article
      aria-label={`Variation ${numberOf(index)}, ${describe(summary?.state ?? "queued").word}`}
      className={cn(
        "flex min-h-0 min-w-0 flex-col overflow-hidden rounded-lg border bg-card",
        picked && "border-brand-ink ring-1 ring-brand-ink",
      )}
    >
      <div aria-hidden className={cn("h-1 shrink-0", agentBar(index))} />
      <header className="flex items-center gap-2 border-b px-3 py-2">
        <CardTitle {...title} />
        <CardTools {...tools} />
      </header>
      <CardBody label={`Text of variation ${numberOf(index)}`} live={active && caughtUp}>
        <CardText card={card} raw={raw} />
      </CardBody>
      <footer className="flex min-h-11 items-center justify-between gap-x-3 border-t px-3 py-2">
        <Figures card={card} />
        {summary && <CardButtons {...{ index, active, stopping, picked, actions }} />}
      </footer>
    </article>
  );
});
StreamCard.displayName = "StreamCard";
