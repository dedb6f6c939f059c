"use client";

import { memo, useState } from "react";
import { type Components, defaultRehypePlugins, Streamdown } from "streamdown";
import { useGradual } from "@/hooks/useGradual";
import { cn } from "@/lib/cn";
import { growingBlocks } from "./blocks";
import { CodeBox } from "./CodeBox";

/** HTML is shown as it was written, never rendered; links are kept to safe kinds. */
const rehypePlugins = [defaultRehypePlugins.sanitize, defaultRehypePlugins.harden].filter(
  (plugin) => plugin !== undefined,
);

const components: Components = {
  pre: ({ children }) => <CodeBox>{children}</CodeBox>,
  table: ({ children }) => (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div
      role="group"
      aria-label="Table"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled to by key
      tabIndex={0}
      className="agent-box overflow-x-auto rounded-md border"
    >
      <table>{children}</table>
    </div>
  ),
  a: ({ href, children }) => (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // Nothing an agent writes makes the browser fetch anything.
  img: ({ alt, src }) => (
    <span className="rounded bg-raised px-1.5 py-0.5 text-caption text-ink-soft">
      image{alt ? `: ${alt}` : ""} ({typeof src === "string" ? src : "no address"}, not loaded)
    </span>
  ),
};

type Props = { text: string; writing: boolean };

export const Markdown = memo(({ text, writing }: Props) => {
  const [cut] = useState(growingBlocks);
  const drawn = useGradual(text);
  return (
    <Streamdown
      className={cn("agent-text space-y-0", writing && "writing")}
      mode="streaming"
      parseIncompleteMarkdown={writing}
      parseMarkdownIntoBlocksFn={cut}
      isAnimating={writing}
      animated={false}
      rehypePlugins={rehypePlugins}
      components={components}
      controls={false}
    >
      {drawn}
    </Streamdown>
  );
});
Markdown.displayName = "Markdown";
