import { Notice } from "@/components/ui/notice";
import type { Attempt } from "@/lib/parts";
import { PartView } from "./parts/PartView";

type Props = { attempt: Attempt; open: boolean; raw: boolean };

/** Everything one attempt said and did, in order. */
export const AttemptView = ({ attempt, open, raw }: Props) => {
  const lastText = attempt.parts.findLastIndex((p) => p.kind === "text" && p.text !== "");
  return (
    <>
      {attempt.parts.map((part, i) => (
        <PartView key={part.key} part={part} open={open} answered={i < lastText} raw={raw} />
      ))}
      {attempt.end?.kind === "error" && <Notice tone="bad">{attempt.end.text}</Notice>}
      {attempt.end?.kind === "abort" && (
        <Notice tone="info">
          Stopped here{attempt.end.reason ? `: ${attempt.end.reason}` : "."}
        </Notice>
      )}
    </>
  );
};
