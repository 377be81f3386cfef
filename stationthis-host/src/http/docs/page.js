"use strict";
// Everything that comes from the document is set as text, never as HTML.
const at = id => document.getElementById(id);
const el = (name, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children.filter(child => child !== undefined && child !== null));
  return made;
};
const text = value => JSON.stringify(value, null, 2);

// What stands before this page's path stands before all others.
const before = location.pathname.replace(/\/docs$/, "");

let api = {};

async function ask(method, path, body, more = {}) {
  const headers = { ...more };
  const key = at("key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(before + path, { method, headers, body, redirect: "follow", cache: "no-store" });
}

// What a reference stands for, as deep as a reader wants to look.
function resolved(value, depth = 0) {
  if (Array.isArray(value)) return value.map(one => resolved(one, depth));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ref === "string" && value.$ref.startsWith("#/")) {
    if (depth > 4) return { $ref: value.$ref };
    const parts = value.$ref.slice(2).split("/").map(part => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    const { $ref, ...beside } = value;
    const found = parts.reduce((from, part) => from?.[part], api) ?? {};
    return { ...resolved(found, depth + 1), ...resolved(beside, depth + 1) };
  }
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, resolved(of, depth)]));
}

function example(schema) {
  if (!schema || typeof schema !== "object") return null;
  if ("default" in schema) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.type === "object" || schema.properties) {
    const must = new Set(schema.required ?? []);
    const shown = Object.entries(schema.properties ?? {}).filter(([name, of]) => must.has(name) || "default" in of || name === "inputs");
    return Object.fromEntries(shown.map(([name, of]) => [name, example(of)]));
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  return { string: "", integer: schema.minimum ?? 0, number: schema.minimum ?? 0, boolean: false, array: [] }[type] ?? null;
}

function table(rows) {
  return el("table", {}, ...rows.map(cells => el("tr", {}, ...cells.map(cell => el("td", {}, cell)))));
}

function attempt(path, method, operation, schema) {
  const fields = (operation.parameters ?? []).map(parameter => {
    const field = el("input", { placeholder: parameter.required ? "needed" : "" });
    return { parameter, field };
  });
  const body = schema && el("textarea", { value: text(example(schema)), spellcheck: false });
  const answer = el("pre", { hidden: true });
  const send = el("button", { type: "button", textContent: "Send" });
  send.onclick = async () => {
    let place = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, field } of fields) {
      if (parameter.in === "path") place = place.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
      else if (field.value && parameter.in === "query") query.set(parameter.name, field.value);
      else if (field.value) headers[parameter.name] = field.value;
    }
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const asked = query.size ? `${place}?${query}` : place;
      const came = await ask(method.toUpperCase(), asked, body?.value, headers);
      const said = await came.text();
      let shown = said;
      try { shown = text(JSON.parse(said)); } catch { /* not JSON: as it is */ }
      answer.textContent = `${came.status} ${came.statusText}\n${shown}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  };
  const rows = fields.map(({ parameter, field }) => [
    el("code", { textContent: parameter.name }), field, `${parameter.in}. ${parameter.description ?? ""}`,
  ]);
  return [rows.length ? el("h3", { textContent: "Parameters" }) : undefined, rows.length ? table(rows) : undefined,
    body ? el("h3", { textContent: "Body" }) : undefined, body, send, answer];
}

function shown(path, method, raw) {
  const box = el("details", {},
    el("summary", {}, el("span", { className: "method", textContent: method.toUpperCase() }),
      el("code", { textContent: path }), el("span", { className: "about", textContent: raw.summary ?? "" })));
  box.id = raw.operationId;
  // Made when it is opened: a catalogue has thousands of schemas.
  box.addEventListener("toggle", () => {
    if (box.childElementCount > 1) return;
    const operation = resolved(raw);
    const content = Object.values(operation.requestBody?.content ?? {})[0];
    const endless = Object.values(operation.responses).some(of => of.content?.["text/event-stream"]);
    const inside = el("div", {}, el("p", { textContent: operation.description ?? "" }));
    if (!endless) inside.append(...attempt(path, method, operation, content?.schema).filter(Boolean));
    inside.append(el("h3", { textContent: "Answers" }), table(Object.entries(operation.responses).map(([status, of]) => {
      const schema = Object.values(of.content ?? {})[0]?.schema;
      const name = Object.values(raw.responses[status]?.content ?? {})[0]?.schema?.$ref?.split("/").pop();
      const more = schema && el("details", {}, el("summary", { textContent: name ?? "schema" }), el("pre", { textContent: text(schema) }));
      return [el("code", { textContent: status }), of.description ?? "", more ?? ""];
    })));
    if (content?.schema) {
      inside.append(el("details", {}, el("summary", { textContent: "Schema of the body" }), el("pre", { textContent: text(content.schema) })));
    }
    box.append(inside);
  });
  return box;
}

function render() {
  const wanted = at("find").value.trim().toLowerCase();
  const groups = new Map((api.tags ?? []).map(tag => [tag.name, { tag, boxes: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const [method, operation] of Object.entries(item)) {
      const about = `${method} ${path} ${operation.summary}`.toLowerCase();
      if (about.includes(wanted)) groups.get(operation.tags[0])?.boxes.push(shown(path, method, operation));
    }
  }
  const sections = [...groups.values()].filter(({ boxes }) => boxes.length).map(({ tag, boxes }) =>
    el("section", {}, el("h2", { textContent: tag.name }), el("p", { textContent: tag.description ?? "" }), ...boxes));
  at("main").replaceChildren(...sections);
}

async function load() {
  at("main").replaceChildren("…");
  try {
    const came = await ask("GET", "/api/internal/openapi.json");
    const body = await came.json();
    if (!came.ok) throw new Error(body.detail ?? came.statusText);
    api = body;
    at("about").textContent = `${api.info.version}. ${api.info.description}`;
    render();
  } catch (error) {
    at("main").replaceChildren(el("p", { className: "problem", textContent: error.message }));
  }
}

at("ask").addEventListener("submit", event => { event.preventDefault(); load(); });
at("find").addEventListener("input", render);
load();
