import { Notice } from "@/components/ui/notice";
import { ordinal, sentence } from "@/lib/format";
import type { CardModel } from "./card";

/** Why it waits, or why it ended as it did. */
export const CardReason = ({ card }: { card: CardModel }) => {
  const { summary, attempt } = card;
  const place = card.position === undefined ? "" : `${ordinal(card.position)} in the queue.`;
  if (card.active) {
    const waiting = [sentence(summary?.reason?.message ?? ""), place].filter(Boolean).join(" ");
    return waiting ? <Notice tone="wait">{waiting}</Notice> : null;
  }
  const said = attempt?.end?.kind === "error" && attempt.end.text === summary?.reason?.message;
  if (!summary?.reason || said) return null;
  return (
    <Notice tone={summary.state === "cancelled" ? "info" : "bad"}>
      {sentence(summary.reason.message)}
    </Notice>
  );
};
