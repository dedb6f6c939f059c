import { isValidElement, type ReactNode } from "react";
import { CopyButton } from "./CopyButton";

type CodeProps = { className?: string; children?: ReactNode };

/** A block of code as it was written, with its language and a way to copy it. */
export const CodeBox = ({ children }: { children?: ReactNode }) => {
  const code = isValidElement<CodeProps>(children) ? children.props : { children };
  const language = /language-([\w+#.-]+)/.exec(code.className ?? "")?.[1];
  const text = typeof code.children === "string" ? code.children.replace(/\n$/, "") : "";
  return (
    <div className="agent-box overflow-hidden rounded-md border bg-raised">
      <div className="flex h-7 items-center justify-between border-b pl-3 text-caption text-ink-soft">
        <span className="font-mono">{language ?? "text"}</span>
        <CopyButton label="Copy this code" text={() => text} />
      </div>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled to by key
        tabIndex={0}
        className="overflow-x-auto px-3 py-2 font-mono text-[13px] leading-5"
      >
        <code>{text || code.children}</code>
      </pre>
    </div>
  );
};
