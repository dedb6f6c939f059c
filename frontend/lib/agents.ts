/** Variations are 0–4 on the wire; people see and type 1–5. Each has its colour and its number. */

export const variationNumbers = [1, 2, 3, 4, 5] as const;

const bars = ["bg-agent-1", "bg-agent-2", "bg-agent-3", "bg-agent-4", "bg-agent-5"] as const;

const edges = [
  "border-agent-1",
  "border-agent-2",
  "border-agent-3",
  "border-agent-4",
  "border-agent-5",
] as const;

export const agentEdge = (index: number): string => edges[index % edges.length] ?? edges[0];

export const agentBar = (index: number): string => bars[index % bars.length] ?? bars[0];

export const numberOf = (index: number): number => index + 1;
