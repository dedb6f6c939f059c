import { AttemptView } from "./AttemptView";
import { CardReason } from "./CardReason";
import type { CardModel } from "./card";
import { EarlierAttempts } from "./EarlierAttempts";
import { gapWords, Mark } from "./parts/Mark";
import { Waiting } from "./Waiting";

type Props = { card: CardModel; raw: boolean };

/** Everything a variation has said, and why it says nothing more or nothing yet. */
export const CardText = ({ card, raw }: Props) => {
  const { variation, attempt, summary, active } = card;
  const writing = active && !attempt?.end;
  const explained = summary?.reason != null || card.position !== undefined;
  const empty = !attempt || attempt.parts.length === 0;
  return (
    <>
      <EarlierAttempts variation={variation} current={attempt} raw={raw} />
      {attempt && <AttemptView attempt={attempt} open={writing} raw={raw} />}
      {variation.pendingGap && !attempt?.end && (
        <Mark tone="wait">{gapWords(0, variation.pendingGap)}</Mark>
      )}
      <CardReason card={card} />
      {empty && active && <Waiting summary={summary} explained={explained} />}
    </>
  );
};
