// Settings of the small Venom's cockpit: a standalone build whose server passes /api and /ws on.
import type { NextConfig } from "next";

// Baked into the build, as in the real one.
const backend = process.env.API_PROXY_TARGET || process.env.NEXT_PUBLIC_API_BASE || "http://127.0.0.1:8000";

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: __dirname,
  turbopack: { root: __dirname },
  async rewrites() {
    return [
      { source: "/api/:path*", destination: `${backend}/api/:path*` },
      { source: "/ws/:path*", destination: `${backend}/ws/:path*` },
    ];
  },
};

export default config;
