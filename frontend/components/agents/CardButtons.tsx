import { RotateCcw, Square, Trophy } from "lucide-react";
import { memo } from "react";
import { Button } from "@/components/ui/button";
import type { CardActions } from "./card";

type Props = {
  index: number;
  active: boolean;
  stopping: boolean;
  picked: boolean;
  actions: CardActions;
};

/** What can be done now: cancel while it works, retry and pick once it has ended. */
export const CardButtons = memo(({ index, active, stopping, picked, actions }: Props) => (
  <div className="flex shrink-0 items-center gap-1.5">
    {active && (
      <Button look="danger" size="sm" disabled={stopping} onClick={() => actions.cancel(index)}>
        <Square aria-hidden />
        Cancel
      </Button>
    )}
    {!active && (
      <Button size="sm" onClick={() => actions.retry(index)}>
        <RotateCcw aria-hidden />
        Retry
      </Button>
    )}
    {!active && !picked && (
      <Button size="sm" onClick={() => actions.pick(index)}>
        <Trophy aria-hidden />
        Pick
      </Button>
    )}
  </div>
));
CardButtons.displayName = "CardButtons";
