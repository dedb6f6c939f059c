"use client";

import { lazy, Suspense } from "react";
import type { TextPart } from "@/lib/parts";

/** The markdown renderer is the largest part of the page, and not needed for its first sight. */
const Markdown = lazy(() => import("../Markdown").then((m) => ({ default: m.Markdown })));

type Props = { part: TextPart; writing: boolean; raw: boolean };

/** A part of the answer: as markdown, or as the bytes that came. */
export const TextView = ({ part, writing, raw }: Props) => {
  const plain = <PlainText text={part.text} writing={writing} />;
  return (
    <>
      {raw ? (
        plain
      ) : (
        <Suspense fallback={plain}>
          <Markdown text={part.text} writing={writing} />
        </Suspense>
      )}
      {part.incomplete && (
        <p className="text-caption text-wait">This text is shorter than what the agent wrote.</p>
      )}
    </>
  );
};

const PlainText = ({ text, writing }: { text: string; writing: boolean }) => (
  <pre className="whitespace-pre-wrap break-words font-mono text-[13px] leading-5">
    {text}
    {writing && <span className="text-brand-ink">▋</span>}
  </pre>
);
