"use client";

import { ChevronDown } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Menu, MenuItem } from "@/components/ui/menu";

type Props = {
  id: string;
  label?: string;
  value: string;
  fallback: string;
  /** Names, or beginnings ending in `*`, which are then typed to their end. */
  models: readonly string[];
  onChange: (model: string) => void;
};

/** A model's name: typed, or chosen from those this installation knows. */
export const ModelInput = ({ id, label, value, fallback, models, onChange }: Props) => {
  const choose = (model: string) => {
    onChange(model.replace(/\*$/, ""));
    if (model.endsWith("*")) document.getElementById(id)?.focus();
  };
  return (
    <div className="relative min-w-0 flex-1">
      <Input
        id={id}
        aria-label={label}
        value={value}
        placeholder={fallback}
        spellCheck={false}
        onChange={(e) => onChange(e.target.value)}
        className="h-8 pr-8 font-mono text-[13px]"
      />
      {models.length > 0 && (
        <div className="absolute inset-y-0 right-0.5 flex items-center">
          <Menu
            trigger={
              <Button
                look="ghost"
                size="icon"
                aria-label={`Choose a model${label ? `, ${label}` : ""}`}
              >
                <ChevronDown />
              </Button>
            }
          >
            {models.map((model) => (
              <MenuItem key={model} onSelect={() => choose(model)}>
                <span className="truncate font-mono text-[13px]">{model}</span>
              </MenuItem>
            ))}
          </Menu>
        </div>
      )}
    </div>
  );
};
