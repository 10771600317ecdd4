package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/task"
)

func limited(text string) string { return pushed("http://web/tasks") + text }

func TestLimits(t *testing.T) {
	m, err := Parse("m.toml", []byte(limited(`
[queue.q.limit]
rate = "10/s"
burst = 5
concurrency = 4
per.tenant = { concurrency = 1 }
per.type.rate = "100/m"
task.call_api = { rate = "1/10s" }
task."mail/send.now".per.source = { concurrency = 2 }
[queue.other]
`)))
	if err != nil {
		t.Fatal(err)
	}
	got := m.Queue["q"].Limit.Limits("shop-q")
	event := &task.Event{Type: "t", Source: "s", Extensions: map[string]string{"tenant": "ann"}}
	values := map[string]string{}
	for i, l := range got {
		if l.By != nil {
			values[l.Name], got[i].By = l.By(event), nil
		}
	}
	want := []task.Limit{
		{Name: "shop-q", Rate: 10, Per: time.Second, Burst: 5, Concurrency: 4},
		{Name: "shop-q per tenant", Concurrency: 1, Burst: 1},
		{Name: "shop-q per type", Rate: 100, Per: time.Minute, Burst: 1},
		{Name: "shop-q call_api", Task: "call_api", Rate: 1, Per: 10 * time.Second, Burst: 1},
		{Name: "shop-q mail/send.now per source", Task: "mail/send.now", Concurrency: 2, Burst: 1},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(task.Limit{}, "By")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"shop-q per tenant": "ann", "shop-q per type": "t", "shop-q mail/send.now per source": "s"}, values); d != "" {
		t.Error(d)
	}
	if none := m.Queue["other"].Limit.Limits("other"); none != nil {
		t.Errorf("a queue without a limit has %v", none)
	}
}

func TestLimitErrors(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"not pushed":      {"name = \"a\"\n[queue.q.limit]\nrate = \"1/s\"\n", "m.toml:2:10: queue.q.limit holds for tasks that dayfly pushes: add push"},
		"nothing":         {limited("[queue.q.limit]\n"), "m.toml:7:10: [queue.q.limit] limits nothing: add rate = \"10/s\", concurrency = 4, or both"},
		"nothing of one":  {limited("[queue.q.limit.task.call]\n"), "m.toml:7:21: [queue.q.limit.task.call] limits nothing"},
		"number":          {limited("limit.rate = 10\n"), "m.toml:7:14: queue.q.limit.rate must be a rate in quotes, such as \"10/s\""},
		"no time":         {limited("limit.rate = \"10\"\n"), "m.toml:7:7: queue.q.limit.rate is \"10\", which is not a rate; write how many begin in which time"},
		"an empty time":   {limited("limit.rate = \"10/\"\n"), "rate is \"10/\", which is not a rate"},
		"no such unit":    {limited("limit.rate = \"10/sec\"\n"), "\"10/sec\", which is not a rate"},
		"half a task":     {limited("limit.rate = \"0.5/s\"\n"), "\"0.5/s\", which is not a rate"},
		"empty":           {limited("limit = { rate = \"\", concurrency = 1 }\n"), "queue.q.limit.rate is empty"},
		"none":            {limited("limit.rate = \"0/s\"\n"), "m.toml:7:7: queue.q.limit.rate is \"0/s\"; it must be 1 to 1000000 tasks in 1ms to 24h"},
		"fewer":           {limited("limit.rate = \"-1/s\"\n"), "queue.q.limit.rate is \"-1/s\""},
		"too many":        {limited("limit.rate = \"1000001/s\"\n"), "queue.q.limit.rate is \"1000001/s\""},
		"too long a time": {limited("limit.rate = \"1/2d\"\n"), "queue.q.limit.rate is \"1/2d\""},
		"no time at all":  {limited("limit.rate = \"1/0s\"\n"), "queue.q.limit.rate is \"1/0s\""},
		"burst alone":     {limited("limit.burst = 2\n"), "m.toml:7:7: queue.q.limit.burst is of no use without a rate"},
		"no burst":        {limited("limit = { rate = \"1/s\", burst = 0 }\n"), "m.toml:7:25: queue.q.limit.burst is 0; it must be between 1 and 1000000"},
		"burst of years":  {limited("limit = { rate = \"1/d\", burst = 1000 }\n"), "together more than a year"},
		"none at once":    {limited("limit.concurrency = 0\n"), "queue.q.limit.concurrency is 0; it must be between 1 and 10000"},
		"many at once":    {limited("limit.concurrency = 10001\n"), "queue.q.limit.concurrency is 10001"},
		"misspelt":        {limited("limit.concurency = 1\n"), "unknown key \"concurency\" in [queue.q.limit]; did you mean \"concurrency\"?"},
		"misspelt of one": {limited("limit.task.t.rte = \"1/s\"\n"), "unknown key \"rte\" in [queue.q.limit.task.t]; did you mean \"rate\"?"},
		"a task's name":   {limited("limit.task.\"a b\".concurrency = 1\n"), "\"a b\" cannot be the name of a task"},
		"an attribute":    {limited("limit.per.\"data.tenant\".concurrency = 1\n"), "\"data.tenant\" is neither type, source nor an extension"},
		"the id":          {limited("limit.per.id.concurrency = 1\n"), "\"id\" is neither type, source nor an extension"},
		"a text":          {limited("limit.per = \"tenant\"\n"), "queue.q.limit.per must be a table"},
		"task of a task":  {limited("limit.task.t.task.u.concurrency = 1\n"), "unknown key \"task\" in [queue.q.limit.task.t]"},
		"too many limits": {limited("[queue.q.limit]\n" + manyTasks(101)), "queue.q.limit has 101 limits; a queue has at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("m.toml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func manyTasks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("task.t" + strings.Repeat("i", i) + ".concurrency = 1\n")
	}
	return b.String()
}

func TestRates(t *testing.T) {
	for text, want := range map[Rate]time.Duration{"10/s": time.Second, "100/m": time.Minute, "1000/h": time.Hour, "1/10s": 10 * time.Second,
		"3/1m30s": 90 * time.Second, "1/d": 24 * time.Hour, "7/ms": time.Millisecond} {
		if n, per, err := text.Parse(); n == 0 || per != want || err != nil {
			t.Errorf("%s is %d in %v (%v)", text, n, per, err)
		}
	}
}
