"use strict";
const filter = document.getElementById("filter");
document.getElementById("search").hidden = false;
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of document.querySelectorAll("nav li")) {
    const text = item.dataset.text.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
});
const server = document.baseURI.replace(/[?#].*$/, "").replace(/\/docs\/?$/, "");
document.getElementById("document").href = `${server}/openapi.json`;
for (const place of document.querySelectorAll(".server")) {
  place.textContent = server;
}
for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
