import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

export default defineConfig(({ mode }) => ({
  plugins: [react()],
  build: {
    target: "es2023",
    outDir: "dist",
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: { polyfill: false }, // an inline script, and every browser of the target can do without
    reportCompressedSize: true,
  },
  // `npm run dev` serves the console with hot reload in front of a running API; QUARTERDECK_API says where that is.
  server: { proxy: { "/v1": loadEnv(mode, ".", "QUARTERDECK_").QUARTERDECK_API ?? "http://127.0.0.1:7410" } },
}));
