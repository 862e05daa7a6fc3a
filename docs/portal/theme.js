// Colours: those of the system, or the reader's choice. Runs before the page is drawn, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const names = ["automatic", "light", "dark"];
  const stored = () => {
    try {
      return localStorage.getItem("deskwire-theme") ?? "automatic";
    } catch {
      return "automatic";
    }
  };
  const show = (name) => {
    if (name === "automatic") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", name);
  };
  let chosen = names.includes(stored()) ? stored() : "automatic";
  show(chosen);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = `Colours: ${chosen}`; };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      chosen = names[(names.indexOf(chosen) + 1) % names.length];
      try {
        localStorage.setItem("deskwire-theme", chosen);
      } catch {
        // Then for this page only.
      }
      show(chosen);
      label();
    });
    // On a narrow screen the menu begins closed.
    if (matchMedia("(max-width: 55rem)").matches) document.getElementById("menu").open = false;
  });
})();
