import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  build: {
    // The oldest WebKit that macOS 12 carries.
    target: "safari15",
    // Inlined assets would be `data:` addresses, which the app's content security policy refuses.
    assetsInlineLimit: 0,
    // The preload polyfill is inline script, which the policy refuses as well; WebKit needs none.
    modulePreload: { polyfill: false },
  },
  // Whole pages in a browser are tests of their own: `npm run replay`.
  test: { include: ["src/**/*.test.ts"] },
  // The icons live beside this folder, not in it.
  server: { fs: { allow: [".."] } },
});
