import { defineConfig } from "vitest/config";

// One at a time: they share a browser and a server.
export default defineConfig({ test: { include: ["replay/**/*.test.ts"], fileParallelism: false } });
