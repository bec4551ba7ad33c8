// The question box: BM25 weights added up in the reader's browser. Nothing that is typed leaves it.
// The same ranking as lib/lab/questions.py, whole number by whole number; node can load it too, for the tests.
"use strict";

(() => {
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const VALUE = Object.fromEntries([...ALPHABET].map((letter, value) => [letter, value]));
  const WORDS = {
    fr: {
      label: "Votre question de droit du travail, en français", button: "Chercher",
      loading: "L’index se charge (une seule fois)…", failed: "L’index n’a pas pu être chargé. Rechargez la page pour réessayer.",
      empty: "Écrivez d’abord une question.", article: "Article", sheets: "Fiches du ministère qui le citent\u00a0: ", between: "\u00a0; ",
      found: (n) => `${n} article${n > 1 ? "s" : ""}, du plus proche au moins proche. Ce n’est pas un conseil juridique\u00a0: lisez les textes.`,
      none: "Je m’abstiens\u00a0: rien d’assez proche dans le Code du travail. Essayez d’autres mots, ou demandez à l’inspection du travail ou à un avocat.",
      anyway: "Montrer quand même le plus proche", doubtful: "Sous le seuil\u00a0: ces articles ont peu de chances de convenir. Ce n’est pas un conseil juridique.",
    },
    en: {
      label: "Your question on French labour law, in French", button: "Search",
      loading: "The index is loading (only once)…", failed: "The index could not be loaded. Reload the page to try again.",
      empty: "Write a question first.", article: "Article", sheets: "Ministry sheets that cite it: ", between: "; ",
      found: (n) => `${n} article${n > 1 ? "s" : ""}, the closest first. This is not legal advice: read the texts.`,
      none: "I abstain: nothing close enough in the Labour Code. Try other words, or ask the labour inspectorate or a lawyer.",
      anyway: "Show the closest anyway", doubtful: "Below the threshold: these articles are unlikely to be the right ones. This is not legal advice.",
    },
  };

  const tokenize = (text, letters) => (
    text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/œ/g, "oe").replace(/æ/g, "ae")
      .match(/[a-z0-9]+/g) || []
  ).map((word) => word.slice(0, letters));

  function open(data) {
    const places = data.places.flatMap(([length], place) => Array(length).fill(place));
    return {
      ...data, place: places, numbers: data.numbers.split(" "), postings: data.postings.split(" "),
      number: new Map(data.words.split(" ").map((word, number) => [word, number])),
    };
  }

  function addWeights(postings, total) {
    let at = -1;
    let gap = 0;
    let largest = 0;
    for (let reading = 0; reading < postings.length; reading += 1) {
      const digit = VALUE[postings[reading]];
      gap = gap * 32 + (digit & 31);
      if (digit < 32) {
        at += gap;
        gap = 0;
        reading += 1;
        const weight = VALUE[postings[reading]];
        total[at] += weight;
        largest = Math.max(largest, weight);
      }
    }
    return largest;
  }

  function score(index, question) {
    const size = index.sections.length;
    const total = new Int32Array(size + index.numbers.length);
    let most = 0;
    for (const word of new Set(tokenize(question, index.letters))) {
      most += index.number.has(word) ? addWeights(index.postings[index.number.get(word)], total) : index.top;
    }
    const told = total.subarray(0, size);
    const own = total.subarray(size);
    const bestOfPlace = new Int32Array(index.places.length);
    const bestTold = new Int32Array(own.length);
    own.forEach((points, article) => { bestOfPlace[index.place[article]] = Math.max(bestOfPlace[index.place[article]], points); });
    index.sections.forEach(([, , , cited], section) => {
      for (const article of cited) bestTold[article] = Math.max(bestTold[article], told[section]);
    });
    const law = own.map((points, article) => points + bestOfPlace[index.place[article]] + bestTold[article]);
    const best = law.reduce((one, other) => Math.max(one, other), 0);
    return { told, law, sure: most ? Math.floor((100 * best) / Math.sqrt(most)) : 0 };
  }

  function search(index, question, depth = 10) {
    const { law, told, sure } = score(index, question);
    const ranked = [];
    law.forEach((points, article) => {
      if (!points || (ranked.length === depth && points <= law[ranked.at(-1)])) return;
      let place = ranked.length;
      while (place > 0 && law[ranked[place - 1]] < points) place -= 1;
      ranked.splice(place, 0, article);
      ranked.length = Math.min(ranked.length, depth);
    });
    return { sure, found: ranked.map((article) => ({ article, sections: leading(index, article, told) })) };
  }

  function leading(index, article, told) {
    const citing = [...told.keys()].filter((section) => told[section] > 0 && index.sections[section][3].includes(article));
    return citing.sort((a, b) => told[b] - told[a] || a - b).slice(0, 2);
  }

  // What is shown: text is only ever text, and links only lead to https.
  const make = (name, attributes = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };
  const link = (address, text) => (/^https:\/\//.test(address) ? make("a", { href: address }, text) : document.createTextNode(text));

  function shown(index, found, words) {
    const [, ...titles] = index.places[index.place[found.article]];
    const address = `${index.url}LEGIARTI${String(index.ids[found.article]).padStart(12, "0")}`;
    const item = make("li", {},
      make("h3", {}, link(address, `${words.article} ${index.numbers[found.article]}`)),
      make("p", { lang: "fr" }, titles.map((title) => index.titles[title]).join(" › ")));
    if (found.sections.length) {
      const sheets = make("p", {}, words.sheets);
      found.sections.forEach((section, place) => {
        const [sheet, title, anchor] = index.sections[section];
        const [name, page] = index.sheets[sheet];
        const text = title === name ? name : `${name}\u00a0: ${title}`;
        const one = make("span", { lang: "fr" }, link(anchor ? `${page}#${anchor}` : page, text));
        sheets.append(place ? words.between : "", one);
      });
      item.append(sheets);
    }
    return item;
  }

  function start(box, address) {
    const words = WORDS[document.documentElement.lang] || WORDS.en;
    const whole = (name) => Number.parseInt(box.dataset[name].replace(/\D/g, ""), 10);
    const input = make("input", { id: "question", type: "text", autocomplete: "off", maxlength: "500" });
    const status = make("p", { role: "status" });
    const more = make("button", { type: "button", class: "anyway", hidden: "" }, words.anyway);
    const results = make("ol", { class: "question-results" });
    const form = make("form", {}, make("label", { for: "question" }, words.label), make("div", {}, input, make("button", {}, words.button)));
    let index = null;
    let coming = null;
    const load = () => {
      coming = coming || new Promise((resolve, reject) => {
        const script = make("script", { src: address });
        script.addEventListener("load", () => { index = open(window.guidonQuestions); resolve(); });
        script.addEventListener("error", () => { coming = null; script.remove(); reject(); });
        document.head.append(script);
      });
      return coming;
    };
    const answer = () => {
      const { sure, found } = search(index, input.value, whole("shown"));
      const answered = found.length > 0 && sure >= whole("threshold");
      const show = (said) => {
        results.replaceChildren(...found.map((one) => shown(index, one, words)));
        status.textContent = said;
      };
      if (answered) { show(words.found(found.length)); return; }
      status.textContent = words.none;
      more.hidden = found.length === 0;
      more.onclick = () => { more.hidden = true; show(words.doubtful); input.focus(); };
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      results.replaceChildren();
      more.hidden = true;
      if (!input.value.trim()) { status.textContent = words.empty; return; }
      if (!index) status.textContent = words.loading;
      load().then(answer, () => { status.textContent = words.failed; });
    });
    input.addEventListener("focus", () => { load().catch(() => {}); });
    box.querySelector(".without-script")?.remove();
    box.prepend(form, status, more, results);
  }

  if (typeof document === "undefined") module.exports = { tokenize, open, search };
  else {
    const address = new URL("questions-index.js", document.currentScript.src).href;
    document.querySelectorAll(".question-box").forEach((box) => start(box, address));
  }
})();
