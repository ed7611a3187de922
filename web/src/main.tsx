/** Where the console starts. */
import "@mantine/core/styles/default-css-variables.layer.css";
import "@mantine/core/styles/UnstyledButton.layer.css";
import "@mantine/core/styles/Button.layer.css";
import "@mantine/core/styles/ActionIcon.layer.css";
import "@mantine/core/styles/Loader.layer.css";
import "@mantine/core/styles/CloseButton.layer.css";
import "./styles/tokens.css";
import "./styles/base.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onSignedOut } from "./api/client";
import { worthAnotherTry } from "./api/problems";
import { sessionQuery } from "./api/queries";
import { fetchEarly, makeRouter } from "./routes";
import { listen } from "./shell/keys";
import { theme } from "./shell/theme";

const cache = new QueryClient({
  defaultOptions: {
    queries: { retry: (tries, fault) => tries < 2 && worthAnotherTry(fault), refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});
fetchEarly(location.pathname);
cache.query(sessionQuery).catch(() => undefined);

const router = makeRouter(cache);
onSignedOut(() => {
  if (cache.getQueryData(sessionQuery.queryKey) === null) return;
  cache.setQueryData(sessionQuery.queryKey, null);
  void router.invalidate();
});
listen(document);

const place = document.getElementById("root");
if (place === null) throw new Error("index.html holds no #root");
createRoot(place).render(
  <StrictMode>
    {/* Variables stand in styles/tokens.css: the provider's own inline style sheets are not allowed by our policy. */}
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={cache}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
