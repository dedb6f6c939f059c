import { Code, Maximize2, Minimize2, Pilcrow } from "lucide-react";
import { memo } from "react";
import { IconButton } from "@/components/ui/icon-button";
import { numberOf } from "@/lib/agents";
import { CopyButton } from "./CopyButton";
import type { CardActions } from "./card";

type Props = {
  index: number;
  /** Asked only when somebody copies. */
  answer: () => string;
  focus: CardActions["focus"];
  focused: boolean;
  raw: boolean;
  onRaw: (raw: boolean) => void;
};

/** How to look at a card: raw or rendered, copied, alone or among the others. */
export const CardTools = memo(({ index, answer, focus, focused, raw, onRaw }: Props) => (
  <div className="flex shrink-0">
    <IconButton
      label={raw ? "Show as markdown" : "Show the raw text"}
      aria-pressed={raw}
      onClick={() => onRaw(!raw)}
    >
      {raw ? <Pilcrow /> : <Code />}
    </IconButton>
    <CopyButton label="Copy the answer" text={answer} />
    <IconButton
      label={focused ? "Back to the grid" : "Focus"}
      keys={focused ? "G" : String(numberOf(index))}
      onClick={() => focus(focused ? undefined : index)}
    >
      {focused ? <Minimize2 /> : <Maximize2 />}
    </IconButton>
  </div>
));
CardTools.displayName = "CardTools";
