// Runs before the page is painted: the reader's choice, else the system's.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("guidon-theme"); } catch (error) { /* private mode */ }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
