"use client";

import { memo } from "react";
import { type Components, defaultRehypePlugins, Streamdown } from "streamdown";

/** HTML is shown as it was written, never rendered; links are kept to safe kinds. */
const rehypePlugins = [defaultRehypePlugins.sanitize, defaultRehypePlugins.harden].filter(
  (plugin) => plugin !== undefined,
);

const components: Components = {
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

export const Markdown = memo(({ text, writing }: Props) => (
  <Streamdown
    className="agent-text"
    mode={writing ? "streaming" : "static"}
    isAnimating={writing}
    caret="block"
    animated={false}
    rehypePlugins={rehypePlugins}
    components={components}
    controls={{
      code: { copy: true, download: false },
      table: { copy: true, download: false, fullscreen: false },
    }}
    lineNumbers={false}
  >
    {text}
  </Streamdown>
));
Markdown.displayName = "Markdown";
