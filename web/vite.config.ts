import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv, type Plugin, type Rollup } from "vite";

/** Tells the page's first script which files belong to which page, so that it can ask for them at once. */
function filesOfPages(): Plugin {
  const pages = { runs: "/features/runs/RunsPage.tsx", run: "/features/run/RunPage.tsx" };
  return {
    name: "files-of-pages",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        if (bundle === undefined) return html;
        const chunks = Object.values(bundle).filter((output) => output.type === "chunk");
        const entry = chunks.find((chunk) => chunk.isEntry);
        const known = new Set(entry === undefined ? [] : filesOf(entry, bundle));
        const found = Object.entries(pages).map(([page, module]) => {
          const chunk = chunks.find((each) => each.facadeModuleId?.endsWith(module));
          if (chunk === undefined) throw new Error(`no chunk holds ${module}`);
          const files = filesOf(chunk, bundle).filter((file) => !known.has(file));
          return `${page}: ${JSON.stringify(files.map((file) => `/${file}`))}`;
        });
        const empty = "{ runs: [], run: [] }";
        if (!html.includes(empty)) throw new Error(`index.html no longer holds ${empty}`);
        return html.replace(empty, `{ ${found.join(", ")} }`);
      },
    },
  };
}

/** A chunk, its style sheets and all that it imports before it runs. */
function filesOf(chunk: Rollup.OutputChunk, bundle: Rollup.OutputBundle, seen = new Set<string>()): string[] {
  if (seen.has(chunk.fileName)) return [...seen];
  seen.add(chunk.fileName);
  for (const sheet of chunk.viteMetadata?.importedCss ?? []) seen.add(sheet);
  for (const name of chunk.imports) {
    const imported = bundle[name];
    if (imported?.type === "chunk") filesOf(imported, bundle, seen);
  }
  return [...seen];
}

export default defineConfig(({ mode }) => ({
  plugins: [react(), filesOfPages()],
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
