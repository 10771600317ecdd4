package sqlrecords_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/open"
)

// counter names the store that a child of TestProcesses counts in.
const counter = "DAYFLY_TEST_RECORDS_COUNTER"

// TestMain is the child, too.
func TestMain(m *testing.M) {
	if address := os.Getenv(counter); address != "" {
		if err := count(address); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(sqltest.Main(m))
}

// count adds one to a record again and again, and says each number it wrote
// after the store has it, until it is killed.
func count(address string) error {
	ctx := context.Background()
	s, err := open.URL(ctx, address)
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	for range 1 << 20 {
		_, err := s.Update(ctx, "n", func(old *records.Record) (records.Record, error) {
			n = 0
			if old != nil {
				n, err = strconv.Atoi(string(old.Value))
			}
			n++
			return records.Record{Value: strconv.AppendInt(nil, int64(n), 10)}, err
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
	return nil
}

// TestProcesses has four processes count in one store, kills each in the middle
// of a write and starts another in its place, three times over: no number is
// written twice, and none that a process said is lost.
func TestProcesses(t *testing.T) {
	for name, address := range map[string]func() string{
		"SQLite":   func() string { return "sqlite:///" + filepath.Join(t.TempDir(), "records.db") },
		"Postgres": func() string { address, _ := postgres(t); return address },
		"MariaDB":  func() string { address, _ := mariadb(t); return address },
	} {
		t.Run(name, func(t *testing.T) {
			address := address()
			said := make(chan int)
			const processes, lives, each = 4, 3, 25
			for range processes {
				go func() {
					for range lives {
						counts(t, address, each, said)
					}
					said <- 0
				}()
			}
			by := map[int]int{}
			highest := 0
			for ended := 0; ended < processes; {
				n := <-said
				if n == 0 {
					ended++
					continue
				}
				by[n]++
				highest = max(highest, n)
			}
			for n, times := range by {
				if times > 1 {
					t.Errorf("%d was counted %d times", n, times)
				}
			}
			// A kill may have fallen between the write and what was said of it.
			if len(by) < processes*lives*each || highest-len(by) > processes*lives {
				t.Errorf("%d numbers were said, the highest %d", len(by), highest)
			}
			s, err := open.URL(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := s.Get(t.Context(), "n")
			if err != nil || atoi(r.Value) < highest {
				t.Errorf("the record is %q, and %d was said; %v", r.Value, highest, err)
			}
		})
	}
}

func atoi(b []byte) int {
	n, _ := strconv.Atoi(string(b)) // 0 is told from what is expected
	return n
}

// counts starts a process and kills it after it said some numbers; those that
// it had said by then count, too.
func counts(t *testing.T, address string, numbers int, said chan<- int) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), counter+"="+address)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Error(lines.Text())
			break
		}
		said <- n
		if i == numbers-1 {
			c.Process.Kill()
		}
	}
	c.Wait() // it was killed
}
