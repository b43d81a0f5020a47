// The search of static pages: headlines, by the index of Pagefind that lies beside this file.
const words = new URLSearchParams(location.search).get("q") ?? "";
const told = document.getElementById("told");
const found = document.getElementById("found");
const MOST = 50;

async function search() {
  document.getElementById("q").value = words;
  if (!words.trim()) return;
  told.textContent = "Searching …";
  const pagefind = await import(new URL("pagefind/pagefind.js", import.meta.url));
  const answer = await pagefind.search(words);
  const some = await Promise.all(answer.results.slice(0, MOST).map((one) => one.data()));
  told.textContent = `${answer.results.length} found` + (answer.results.length > MOST ? `; the first ${MOST}` : "");
  for (const one of some) {
    const link = document.createElement("a");
    link.href = new URL(`.${one.raw_url}`, import.meta.url); // wherever these files lie
    link.textContent = one.meta.title;
    const line = document.createElement("li");
    line.append(link, document.createElement("br"), one.meta.about ?? "");
    found.append(line);
  }
}

search().catch((error) => {
  told.textContent = `The search does not work here: ${error.message}. These pages must come from a web server.`;
});
