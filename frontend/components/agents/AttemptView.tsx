import { Notice } from "@/components/ui/notice";
import { sentence } from "@/lib/format";
import type { Attempt } from "@/lib/parts";
import { PartView } from "./parts/PartView";

type Props = { attempt: Attempt; open: boolean; raw: boolean };

/** Everything one attempt said and did, in order. */
export const AttemptView = ({ attempt, open, raw }: Props) => {
  const early = attempt.end?.kind === "finish" ? earlyEnd(attempt.end.reason) : undefined;
  const lastText = attempt.parts.findLastIndex((p) => p.kind === "text" && p.text !== "");
  return (
    <>
      {attempt.parts.map((part, i) => (
        <PartView key={part.key} part={part} open={open} answered={i < lastText} raw={raw} />
      ))}
      {early && <Notice>{early}</Notice>}
      {attempt.end?.kind === "error" && <Notice tone="bad">{sentence(attempt.end.text)}</Notice>}
      {attempt.end?.kind === "abort" && (
        <Notice tone="info">
          {sentence(`Stopped here${attempt.end.reason ? `: ${attempt.end.reason}` : ""}`)}
        </Notice>
      )}
    </>
  );
};

/** A finish that is not the answer's own end. */
function earlyEnd(reason: string | undefined): string | undefined {
  if (!reason || reason === "stop" || reason.startsWith("exit-")) return undefined;
  if (reason === "length") return "The model stopped here: its answer reached the length limit.";
  return `The model stopped here: ${reason}.`;
}
