import { Trophy } from "lucide-react";
import { numberOf } from "@/lib/agents";
import { describe } from "@/lib/state";
import type { CardModel } from "./card";
import { NumberBadge } from "./NumberBadge";
import { StateBadge } from "./StateBadge";

type Props = { card: CardModel; children: React.ReactNode };

export const CardHeader = ({ card, children }: Props) => {
  const { word, tone } = describe(card.summary?.state ?? "queued");
  return (
    <header className="flex items-center gap-2 border-b px-3 py-2">
      <NumberBadge index={card.variation.index} />
      <div className="min-w-0 flex-1">
        <h2 className="truncate font-medium font-mono text-[13px] leading-5" title={card.model}>
          <span className="sr-only">Variation {numberOf(card.variation.index)}: </span>
          {card.model}
        </h2>
        <div className="flex items-center gap-2">
          <StateBadge word={word} tone={tone} />
          {card.attempt && card.attempt.number > 1 && (
            <span className="text-caption text-ink-soft">attempt {card.attempt.number}</span>
          )}
          {card.picked && (
            <span className="inline-flex items-center gap-1 rounded bg-brand-tint px-1.5 font-semibold text-brand-ink text-caption">
              <Trophy aria-hidden className="size-3" />
              Picked
            </span>
          )}
          {card.traits && (
            <span className="truncate text-caption text-ink-soft" title={card.traits}>
              {card.traits}
            </span>
          )}
        </div>
      </div>
      {children}
    </header>
  );
};
