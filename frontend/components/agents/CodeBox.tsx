import { isValidElement, type ReactNode } from "react";
import { CopyButton } from "./CopyButton";

type CodeProps = { className?: string; children?: ReactNode };

/** A block of code as it was written, with its language and a way to copy it. */
export const CodeBox = ({ children }: { children?: ReactNode }) => {
  const code = isValidElement<CodeProps>(children) ? children.props : { children };
  const language = /language-([\w+#.-]+)/.exec(code.className ?? "")?.[1];
  const text = typeof code.children === "string" ? code.children.replace(/\n$/, "") : "";
  return (
    <div className="agent-box group/code relative rounded-md border bg-raised">
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled to by key
        tabIndex={0}
        className="overflow-x-auto px-3 py-2.5 font-mono text-[13px] leading-5"
      >
        <code>{text || code.children}</code>
      </pre>
      <div className="absolute top-1 right-1 flex items-center gap-1 rounded bg-raised pl-1.5 text-caption text-ink-soft">
        {language && <span className="font-mono">{language}</span>}
        <CopyButton label="Copy this code" text={() => text} />
      </div>
    </div>
  );
};
