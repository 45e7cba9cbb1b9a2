// The description of all paths, made from /openapi.json. It contacts no other host.

const theme = localStorage.getItem("theme");
const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = dark ? "dark" : "light";

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function folded(title, content) {
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
  const code = element("pre", "", text);
  code.tabIndex = 0; // so that the keyboard can scroll it
  return element("details", "", element("summary", "", title), code);
}

function parameters(list) {
  return list.map(({ name, in: place, schema }) => (
    element("li", "", element("code", "", name), ` in the ${place}: ${schema.type ?? "any"}`)));
}

function schemas(content = {}) {
  return Object.entries(content).map(([kind, { schema }]) => folded(kind, schema));
}

function path(method, name, described) {
  const { summary, parameters: given = [], requestBody, responses } = described;
  const card = element("section", "card path",
    element("h2", "", element("code", "", `${method.toUpperCase()} ${name}`)), element("p", "", summary));
  if (given.length) card.append(element("h3", "", "Parameters"), element("ul", "", ...parameters(given)));
  if (requestBody) card.append(element("h3", "", "Body"), ...schemas(requestBody.content));
  const statuses = Object.entries(responses).map(([status, { description, content }]) => (
    element("li", "", element("code", "", status), ` ${description}`,
      ...(Number(status) < 400 ? schemas(content) : []))));
  card.append(element("h3", "", "Responses"), element("ul", "", ...statuses));
  return card;
}

async function load() {
  const token = sessionStorage.getItem("token"); // given on the page to draw on
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch("openapi.json", { headers });
  if (response.status === 401) {
    return "This server requires a token: give it on the page to draw on, then return here.";
  }
  const { info, paths } = await response.json();
  for (const [name, methods] of Object.entries(paths)) {
    for (const [method, described] of Object.entries(methods)) {
      document.getElementById("paths").append(path(method, name, described));
    }
  }
  return info.description;
}

document.getElementById("about").textContent = await load().catch(
  () => "The server does not answer: load this page again.");
