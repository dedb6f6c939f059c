"use client";

import { Keyboard } from "lucide-react";
import { useEffect, useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { IconButton } from "@/components/ui/icon-button";

const keys = [
  ["1 – 5", "Give a variation the room"],
  ["G or Esc", "Back to the grid"],
  ["⌘ or Ctrl + Enter", "Run what is in the composer"],
  ["?", "Show these keys"],
] as const;

const typing = "input, textarea, select";

export const KeysDialog = () => {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "?" || (event.target instanceof Element && event.target.closest(typing)))
        return;
      setOpen(true);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <IconButton label="Keys" keys="?" onClick={() => setOpen(true)}>
        <Keyboard />
      </IconButton>
      <Dialog title="Keys" open={open} onOpenChange={setOpen}>
        <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-2">
          {keys.map(([key, does]) => (
            <div key={key} className="contents">
              <dt>
                <kbd className="rounded border bg-raised px-1.5 py-0.5 font-mono text-caption">
                  {key}
                </kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </Dialog>
    </>
  );
};
