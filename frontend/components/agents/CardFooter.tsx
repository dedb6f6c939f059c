import { RotateCcw, Square, Trophy } from "lucide-react";
import { Button } from "@/components/ui/button";
import type { CardActions, CardModel } from "./card";
import { Figures } from "./Figures";

type Props = { card: CardModel; actions: CardActions };

/** The numbers, and what can be done now: cancel while it works, retry and pick once it has ended. */
export const CardFooter = ({ card, actions }: Props) => {
  const { index } = card.variation;
  const state = card.summary?.state;
  return (
    <footer className="flex items-center justify-between gap-x-3 border-t px-3 py-2">
      <Figures card={card} />
      {card.summary && (
        <div className="flex shrink-0 items-center gap-1.5">
          {card.active ? (
            <Button
              look="danger"
              size="sm"
              disabled={state === "cancelling"}
              onClick={() => actions.cancel(index)}
            >
              <Square aria-hidden />
              Cancel
            </Button>
          ) : (
            <Button size="sm" onClick={() => actions.retry(index)}>
              <RotateCcw aria-hidden />
              Retry
            </Button>
          )}
          {!card.active && !card.picked && (
            <Button size="sm" onClick={() => actions.pick(index)}>
              <Trophy aria-hidden />
              Pick
            </Button>
          )}
        </div>
      )}
    </footer>
  );
};
