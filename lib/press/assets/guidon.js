// The site's own behaviour: theme, search, sortable tables, copy buttons. No request leaves this site.
"use strict";

const fold = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/œ/g, "oe").replace(/æ/g, "ae").toLowerCase();
const make = (name, attributes = {}, text = "") => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

function themeButton() {
  const button = document.querySelector("button.theme");
  const root = document.documentElement;
  const show = () => button.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("guidon-theme", root.dataset.theme); } catch (error) { /* private mode */ }
    show();
  });
  show();
}

function score(page, words) {
  let total = 0;
  for (const word of words) {
    const starts = (text) => text.startsWith(word) || text.includes(" " + word) || text.includes("'" + word) || text.includes("’" + word);
    const found = (starts(page.folded.title) && 10) + (starts(page.folded.headings) && 4)
      + (starts(page.folded.description) && 3) + (starts(page.folded.text) && 1);
    if (!found) return 0;
    total += found;
  }
  return total;
}

function snippet(page, word) {
  // Folding may change a text's length (œ), so the place is near, not exact: good enough for a snippet.
  const at = page.folded.text.indexOf(word);
  if (at < 0) return page.description;
  const start = Math.max(0, page.text.lastIndexOf(" ", Math.max(0, at - 60)));
  return (start ? "… " : "") + page.text.slice(start, start + 150).trim() + " …";
}

function searchBox() {
  const input = document.getElementById("search");
  const list = document.getElementById("search-results");
  let index = null; // until it has come, there is nothing to say, not even that nothing was found
  let asked = false;
  let active = -1;

  const load = () => {
    if (asked) return;
    asked = true;
    const script = make("script", { src: input.dataset.index });
    script.addEventListener("load", () => {
      index = window.guidonIndex.map((page) => ({
        ...page,
        folded: { title: fold(page.title), headings: " " + fold(page.headings.join(" ")), description: fold(page.description), text: " " + fold(page.text) },
      }));
      if (input.value) show();
    });
    document.head.append(script);
  };
  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    const words = fold(input.value).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    list.replaceChildren();
    if (!words.length || !index) return close();
    const found = index.map((page) => [score(page, words), page]).filter(([points]) => points)
      .sort((a, b) => b[0] - a[0]).slice(0, 8);
    found.forEach(([, page], number) => {
      const option = make("a", { role: "option", id: `result-${number}`, "aria-selected": "false", href: input.dataset.up + page.url, tabindex: "-1" });
      option.append(make("strong", {}, page.title), make("span", {}, snippet(page, words[0])));
      const item = make("li", { role: "none" });
      item.append(option);
      list.append(item);
    });
    if (!found.length) list.append(make("li", { role: "option", "aria-disabled": "true" }, input.dataset.none));
    list.hidden = false;
    active = -1;
    input.setAttribute("aria-expanded", "true");
  };
  const move = (step) => {
    const options = [...list.querySelectorAll("a")];
    if (!options.length) return;
    active = (active + step + options.length) % options.length;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
    input.setAttribute("aria-activedescendant", options[active].id);
    options[active].scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("focus", load);
  input.addEventListener("input", () => { load(); show(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; close(); }
    if (event.key === "Tab") close();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    }
    if (event.key === "Enter") {
      const chosen = list.querySelector('[aria-selected="true"]') || list.querySelector("a");
      if (chosen) location.href = chosen.href;
    }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) close(); });
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.sort || row.cells[column].textContent.trim();
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
      const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(key(a, column), key(b, column)));
      body.append(...rows);
    });
  });
}

function copyButtons() {
  if (!navigator.clipboard) return;
  const label = { fr: "Copier", en: "Copy" }[document.documentElement.lang] || "Copy";
  const done = { fr: "Copié", en: "Copied" }[document.documentElement.lang] || "Copied";
  for (const block of document.querySelectorAll("main pre.sourceCode")) {
    const button = make("button", { type: "button", class: "copy" }, label);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = done;
      setTimeout(() => { button.textContent = label; }, 1500);
    });
    block.parentElement.classList.add("with-copy");
    block.after(button);
  }
}

themeButton();
searchBox();
document.querySelectorAll("table.sortable").forEach(sortable);
copyButtons();
if (document.querySelector(".question-box")) {
  document.head.append(make("script", { src: new URL("questions.js", document.currentScript.src).href }));
}
