import type { NextConfig } from "next";

/**
 * Where `next dev` finds a running edge (`aideator up --allow-origin http://localhost:3000`); the
 * built pages always ask their own origin.
 */
const edge = process.env.AIDEATOR_EDGE ?? "http://127.0.0.1:7780";
const dev = process.env.NODE_ENV === "development";

const config: NextConfig = {
  reactStrictMode: true,
  turbopack: { root: import.meta.dirname },
  ...(dev
    ? {
        compress: false, // a compressed answer would be buffered, and streams would stall
        rewrites: async () => [
          { source: "/api/:path*", destination: `${edge}/api/:path*` },
          { source: "/runs/:id", destination: "/stream" },
        ],
      }
    : { output: "export" as const }),
};

export default config;
