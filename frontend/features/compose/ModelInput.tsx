"use client";

import { ChevronDown } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Menu, MenuItem } from "@/components/ui/menu";
import type { Model } from "@/lib/run";

type Props = {
  id: string;
  label?: string;
  value: string;
  fallback: string;
  models: readonly Model[];
  onChange: (model: string) => void;
};

/** A model's name: typed, or chosen from those this installation knows. */
export const ModelInput = ({ id, label, value, fallback, models, onChange }: Props) => (
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
            <MenuItem key={model.name} onSelect={() => onChange(model.name)}>
              <span className="min-w-0">
                <span className="block truncate font-mono text-[13px]">{model.name}</span>
                {model.note && (
                  <span className="block text-caption text-ink-soft">{model.note}</span>
                )}
              </span>
            </MenuItem>
          ))}
        </Menu>
      </div>
    )}
  </div>
);
