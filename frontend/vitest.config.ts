import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": import.meta.dirname } },
  test: {
    include: ["components/**/*.test.ts", "lib/**/*.test.ts", "features/**/*.test.ts"],
    environment: "node",
  },
});
