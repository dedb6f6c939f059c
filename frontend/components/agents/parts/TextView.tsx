import type { TextPart } from "@/lib/parts";
import { Markdown } from "../Markdown";

type Props = { part: TextPart; writing: boolean; raw: boolean };

/** A part of the answer: as markdown, or as the bytes that came. */
export const TextView = ({ part, writing, raw }: Props) => (
  <>
    {raw ? (
      <pre className="whitespace-pre-wrap break-words font-mono text-[13px] leading-5">
        {part.text}
        {writing && <span className="text-brand-ink">▋</span>}
      </pre>
    ) : (
      <Markdown text={part.text} writing={writing} />
    )}
    {part.incomplete && (
      <p className="mt-1 text-caption text-wait">This text is shorter than what the agent wrote.</p>
    )}
  </>
);
