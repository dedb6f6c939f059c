"use client";

import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { IconButton } from "@/components/ui/icon-button";

/** Copies the answer as it was written; the icon says that it did. */
export const CopyButton = ({ text, label }: { text: () => string; label: string }) => {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () =>
    navigator.clipboard
      .writeText(text())
      .then(() => setCopied(true))
      .catch(() => toast.error("The browser did not let this page copy."));
  return (
    <IconButton label={copied ? "Copied" : label} onClick={copy}>
      {copied ? <Check className="text-good" /> : <Copy />}
    </IconButton>
  );
};
