"use strict";
// Draws /openapi.json. Text from the description only ever becomes text: nothing is parsed as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 5;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// `code` in descriptions, nothing else of Markdown.
function prose(text) {
  return (text || "").split(/(`[^`]+`)/).map((part) =>
    part.startsWith("`") && part.endsWith("`") && part.length > 1 ? element("code", {}, part.slice(1, -1)) : part);
}

// A long path breaks before a slash and not inside a word.
function breakable(path) {
  return path.split("/").flatMap((part, at) => (at === 0 ? [part] : [element("wbr"), `/${part}`]));
}

function resolve(description, schema) {
  let found = schema;
  for (let hops = 0; found && found.$ref && hops < 8; hops += 1) {
    found = found.$ref.split("/").slice(1).reduce((node, key) => node && node[key.replace(/~1/g, "/")], description);
  }
  return found || {};
}

function nameOf(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : null;
}

function kindOf(description, schema) {
  if (!schema) return "any";
  const alternatives = schema.anyOf || schema.oneOf;
  if (alternatives) return alternatives.map((one) => kindOf(description, one)).join(" | ");
  const seen = resolve(description, schema);
  if (seen.const !== undefined) return JSON.stringify(seen.const);
  if (seen.enum) return seen.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (seen.type === "array") return `[${kindOf(description, seen.items)}]`;
  if (nameOf(schema)) return nameOf(schema);
  const type = Array.isArray(seen.type) ? seen.type.join(" | ") : seen.type || "any";
  const bounds = [
    seen.minimum !== undefined ? `≥ ${seen.minimum}` : "",
    seen.maximum !== undefined ? `≤ ${seen.maximum}` : "",
    seen.maxLength !== undefined ? `≤ ${seen.maxLength} characters` : "",
    seen.default !== undefined && seen.default !== null ? `default ${JSON.stringify(seen.default)}` : "",
  ].filter(Boolean);
  return (seen.format ? `${type} (${seen.format})` : type) + (bounds.length ? `, ${bounds.join(", ")}` : "");
}

function membersOf(description, schema) {
  let found = resolve(description, schema);
  const alternatives = found.anyOf || found.oneOf;
  if (alternatives) {
    found = alternatives.map((one) => resolve(description, one)).find((one) => one.properties || one.type === "array") || found;
  }
  if (found.type === "array") return membersOf(description, found.items);
  return found.properties ? found : null;
}

function membersTable(description, schema, depth, path) {
  const found = membersOf(description, schema);
  if (!found) return null;
  const required = new Set(found.required || []);
  const rows = Object.entries(found.properties).map(([name, member]) => {
    const seen = resolve(description, member);
    const inner = membersOf(description, member);
    const nested = inner && depth < DEEPEST && !path.includes(inner)
      ? element("details", { class: "nested" }, element("summary", {}, "members"),
          membersTable(description, member, depth + 1, [...path, inner]))
      : null;
    const label = element("span", required.has(name) ? { class: "must", title: "required" } : {}, name);
    return element("tr", {}, element("td", {}, label), element("td", { class: "kind" }, kindOf(description, member)),
      element("td", {}, ...prose(member.description || seen.description), nested));
  });
  return element("table", {}, ...rows);
}

function parametersTable(description, parameters) {
  const rows = parameters.map((given) => {
    const one = resolve(description, given);
    const label = element("span", one.required ? { class: "must", title: "required" } : {}, one.name);
    return element("tr", {}, element("td", {}, label), element("td", { class: "kind" }, `${one.in}, ${kindOf(description, one.schema)}`),
      element("td", {}, ...prose(one.description)));
  });
  return element("table", {}, ...rows);
}

function bodyPart(description, body) {
  const found = resolve(description, body);
  return Object.entries(found.content || {}).flatMap(([type, media]) => [
    element("h4", {}, `Body: ${type}`),
    membersTable(description, media.schema, 0, []) || element("p", {}, kindOf(description, media.schema)),
  ]);
}

function responsesPart(description, responses) {
  const good = [];
  const problems = [];
  for (const [status, given] of Object.entries(responses || {})) {
    const one = resolve(description, given);
    const [type, media] = Object.entries(one.content || {})[0] || ["", {}];
    if (Number(status) >= 400) {
      problems.push(element("tr", {}, element("td", {}, status), element("td", {}, one.description || "")));
      continue;
    }
    const name = media.schema ? kindOf(description, media.schema) : "";
    good.push(element("h4", {}, `${status} ${type}${name && name !== "any" ? ` — ${name}` : ""}`));
    const table = membersTable(description, media.schema, 0, []);
    good.push(table ? element("details", {}, element("summary", {}, "members"), table) : element("p", {}, one.description || ""));
  }
  if (problems.length) {
    good.push(element("details", {}, element("summary", {}, `Problems: ${problems.map((row) => row.firstChild.textContent).join(" ")}`),
      element("table", {}, ...problems)));
  }
  return good;
}

function curlOf(path, method, operation) {
  const lines = [`curl -H "Authorization: Bearer $QUARTERDECK_KEY" \\`];
  if (method !== "get") lines.push(`  -X ${method.toUpperCase()} \\`);
  if (operation.requestBody) lines.push(`  -H 'content-type: application/json' -d '{…}' \\`);
  lines.push(`  ${location.origin}${path}`);
  return lines.join("\n");
}

function operationPart(description, path, method, operation, id) {
  return element("article", { id },
    element("h3", {}, element("span", { class: `verb ${method}` }, method.toUpperCase()), element("a", { class: "path", href: `#${id}` }, path)),
    element("p", {}, ...prose(operation.description || operation.summary)),
    ...(operation.parameters && operation.parameters.length ? [element("h4", {}, "Parameters"), parametersTable(description, operation.parameters)] : []),
    ...(operation.requestBody ? bodyPart(description, operation.requestBody) : []),
    ...responsesPart(description, operation.responses),
    element("details", {}, element("summary", {}, "curl"), element("pre", {}, curlOf(path, method, operation))));
}

function draw(description) {
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push({ path, method, operation: item[method], id: `${method}${path.replace(/[^a-zA-Z0-9]+/g, "-")}` });
    }
  }
  const index = document.getElementById("index");
  const main = document.getElementById("main");
  main.replaceChildren(
    element("h1", {}, `${description.info.title} ${description.info.version}`),
    ...(description.info.description || "").trim().split(/\n\n+/).map((part) => element("p", { class: "lead" }, ...prose(part))),
    element("p", {}, element("a", { href: "/openapi.json" }, "openapi.json")));
  for (const [tag, operations] of groups) {
    main.append(element("h2", { id: `tag-${tag}` }, tag));
    const list = element("ul");
    for (const { path, method, operation, id } of operations) {
      main.append(operationPart(description, path, method, operation, id));
      list.append(element("li", { "data-text": `${method} ${path} ${operation.summary || ""}`.toLowerCase() },
        element("a", { href: `#${id}` }, element("span", { class: `verb ${method}` }, method.toUpperCase()), element("span", { class: "path" }, ...breakable(path)))));
    }
    index.append(element("section", {}, element("h2", {}, tag), list));
  }
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function filter(words) {
  for (const section of document.querySelectorAll("#index section")) {
    let shown = 0;
    for (const item of section.querySelectorAll("li")) {
      item.hidden = !words.every((word) => item.dataset.text.includes(word));
      shown += item.hidden ? 0 : 1;
    }
    section.hidden = shown === 0;
  }
}

const field = document.getElementById("filter");
field.addEventListener("input", () => filter(field.value.toLowerCase().split(/\s+/).filter(Boolean)));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  }
});

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${answer.status}`))))
  .then(draw)
  .catch((fault) => {
    document.getElementById("state").textContent = `The description could not be loaded (${fault.message}).`;
  });
