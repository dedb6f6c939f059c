import { cn } from "@/lib/cn";
import type { CardActions, CardModel } from "./card";
import { StreamCard } from "./StreamCard";
import { StreamStrip } from "./StreamStrip";

type Props = {
  cards: readonly CardModel[];
  actions: CardActions;
  focus?: number;
  caughtUp: boolean;
};

/** Columns by how many cards there are and how wide the window is. */
const columns: Record<number, string> = {
  1: "",
  2: "md:grid-cols-2",
  3: "md:grid-cols-2 xl:grid-cols-3",
  4: "md:grid-cols-2 min-[1700px]:grid-cols-4",
  5: "md:grid-cols-2 xl:max-[1999px]:grid-cols-6 xl:max-[1999px]:*:col-span-2 xl:max-[1999px]:*:nth-[n+4]:col-span-3 min-[2000px]:grid-cols-5",
};

export const StreamGrid = ({ cards, actions, focus, caughtUp }: Props) => {
  const focused = cards.find((card) => card.variation.index === focus);
  const shared = { actions, caughtUp };
  if (!focused) {
    return (
      <div
        className={cn(
          "grid min-h-0 flex-1 gap-3 md:auto-rows-[minmax(20rem,1fr)]",
          columns[cards.length],
        )}
      >
        {cards.map((card) => (
          <StreamCard key={card.variation.index} card={card} focused={false} {...shared} />
        ))}
      </div>
    );
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-3 lg:flex-row-reverse">
      <div className="flex shrink-0 gap-2 overflow-x-auto lg:w-64 lg:flex-col lg:overflow-visible">
        {cards.map((card) =>
          card === focused ? null : (
            <StreamStrip key={card.variation.index} card={card} actions={actions} />
          ),
        )}
      </div>
      <div className="grid min-w-0 flex-1 md:min-h-80">
        <StreamCard key={focused.variation.index} card={focused} focused {...shared} />
      </div>
    </div>
  );
};
