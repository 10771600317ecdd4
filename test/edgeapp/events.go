package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
)

// eventsPage shows each event and says that it has: an event follows only then,
// so that none follows one that is held back on its way.
const eventsPage = `<!doctype html><title>events</title><script>
const seen = [];
let breaks = 0;
const source = new EventSource("/events");
source.onerror = () => breaks++;
source.onmessage = (e) => {
  seen.push({id: Number(e.lastEventId), pid: Number(e.data)});
  const say = () => fetch("/seen?id=" + e.lastEventId, {method: "POST"}).catch(() => setTimeout(say, 50));
  say();
};
</script>`

// events sends numbered events, which have the process's number for data. The
// next is sent when the page has said that it has the one before. After a break
// it goes on behind the one that the browser had last.
func events(ctx context.Context) *http.Server {
	var mu sync.Mutex
	change := make(chan struct{}) // closed when seen rises
	seen := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", well)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, eventsPage) })
	mux.HandleFunc("POST /seen", func(_ http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(r.FormValue("id"))
		mu.Lock()
		defer mu.Unlock()
		if id > seen {
			seen = id
			close(change)
			change = make(chan struct{})
		}
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		last, _ := strconv.Atoi(r.Header.Get("Last-Event-ID")) // none at first
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "retry: 50\n\n")
		for id := last + 1; ; id++ {
			fmt.Fprintf(w, "id: %d\ndata: %d\n\n", id, os.Getpid())
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			for waits := true; waits; {
				mu.Lock()
				next := change
				waits = seen < id
				mu.Unlock()
				if !waits {
					break
				}
				select {
				case <-next:
				case <-r.Context().Done():
					return
				case <-ctx.Done(): // an event stream has no other end
					return
				}
			}
		}
	})
	return &http.Server{Handler: mux}
}
