// Comfort only: every page works without it.
"use strict";
(() => {
  // Airflow keeps its colour mode here; pages inside it follow.
  const mode = localStorage.getItem("theme") || localStorage.getItem("chakra-ui-color-mode");
  if (mode === "light" || mode === "dark") document.documentElement.dataset.theme = mode;
  document.querySelectorAll("select[data-submits]").forEach((select) => {
    select.addEventListener("change", () => select.form.submit());
  });
  document.querySelectorAll("button[data-copies]").forEach((button) => {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copies).textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
        button.textContent = "Selected: press Ctrl+C";
      }
    });
  });
  // A page that waits for runs looks again by itself.
  const waiting = document.querySelector("[data-refresh-seconds]");
  if (waiting) setTimeout(() => location.reload(), 1000 * Number(waiting.dataset.refreshSeconds));
  // Airflow's frame may not be navigated from inside; links to Airflow's own pages go through its own router.
  document.querySelectorAll("a[data-airflow]").forEach((link) => {
    if (window.parent === window) return;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const address = new URL(link.href);
      window.parent.history.pushState({}, "", address.pathname + address.search);
      window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    });
  });
})();
