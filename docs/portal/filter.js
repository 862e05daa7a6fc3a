// The filter over a list of links: every word must be in an item's own.
export function filterLists() {
  const field = document.getElementById("filter");
  const list = document.querySelector("[data-filtered]");
  if (!field || !list) return;
  field.closest("label").hidden = false;
  const none = document.getElementById("filter-none");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const section of list.querySelectorAll("section")) {
      let here = 0;
      for (const item of section.querySelectorAll("li")) {
        item.hidden = !words.every((word) => item.dataset.words.includes(word));
        here += item.hidden ? 0 : 1;
      }
      section.hidden = here === 0;
      left += here;
    }
    none.hidden = left > 0;
  });
}

filterLists();
