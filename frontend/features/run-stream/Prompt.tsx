"use client";

import { memo, useState } from "react";
import { cn } from "@/lib/cn";

const long = 180;

/** The prompt in two lines, and all of it on request. */
export const Prompt = memo(({ text, mono }: { text: string; mono: boolean }) => {
  const [open, setOpen] = useState(false);
  const cut = text.length > long || text.split("\n").length > 2;
  return (
    <div className="min-w-0 max-w-4xl">
      <h1
        className={cn(
          "break-words font-medium text-body leading-snug",
          open ? "max-h-60 overflow-y-auto whitespace-pre-wrap" : "line-clamp-2",
          mono && "font-mono text-small",
        )}
      >
        {text}
      </h1>
      {cut && (
        <button
          type="button"
          onClick={() => setOpen(!open)}
          className="rounded text-brand-ink text-caption hover:underline"
        >
          {open ? "Less" : "All of it"}
        </button>
      )}
    </div>
  );
});
Prompt.displayName = "Prompt";
