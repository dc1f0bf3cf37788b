// A study under way: its progress as it is told, and the page anew when it has ended.

const place = document.getElementById("study");

if (place.dataset.final === "no") {
  const stream = new EventSource(`/api/v1/jobs/${place.dataset.job}/events`);
  stream.addEventListener("job", (message) => {
    const job = JSON.parse(message.data);
    const bar = document.getElementById("share");
    if (job.share === null) bar.removeAttribute("value");
    else bar.value = job.share;
    document.getElementById("words").textContent = job.words;
    if (["done", "failed", "cancelled", "died"].includes(job.state)) {
      stream.close();
      location.reload();
    }
  });
}
