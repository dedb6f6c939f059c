import { Code, Maximize2, Minimize2, Pilcrow } from "lucide-react";
import { IconButton } from "@/components/ui/icon-button";
import { numberOf } from "@/lib/agents";
import { answerOf } from "@/lib/parts";
import { CopyButton } from "./CopyButton";
import type { CardActions, CardModel } from "./card";

type Props = {
  card: CardModel;
  actions: CardActions;
  focused: boolean;
  raw: boolean;
  onRaw: (raw: boolean) => void;
};

/** How to look at a card: raw or rendered, copied, alone or among the others. */
export const CardTools = ({ card, actions, focused, raw, onRaw }: Props) => {
  const { index } = card.variation;
  return (
    <div className="flex shrink-0">
      <IconButton
        label={raw ? "Show as markdown" : "Show the raw text"}
        aria-pressed={raw}
        onClick={() => onRaw(!raw)}
      >
        {raw ? <Pilcrow /> : <Code />}
      </IconButton>
      <CopyButton label="Copy the answer" text={() => answerOf(card.attempt)} />
      <IconButton
        label={focused ? "Back to the grid" : "Focus"}
        keys={focused ? "G" : String(numberOf(index))}
        onClick={() => actions.focus(focused ? undefined : index)}
      >
        {focused ? <Minimize2 /> : <Maximize2 />}
      </IconButton>
    </div>
  );
};
