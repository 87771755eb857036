import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

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
  // The icons live beside this folder, not in it.
  server: { fs: { allow: [".."] } },
});
