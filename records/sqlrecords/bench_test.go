package sqlrecords_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/open"
)

// BenchmarkRecords makes a record, writes it again and reads it, from one
// goroutine and from sixteen, each with keys of its own. PostgreSQL and MariaDB do
// not sync here, SQLite does.
func BenchmarkRecords(b *testing.B) {
	for name, address := range map[string]func() string{
		"SQLite":   func() string { return "sqlite:///" + filepath.Join(b.TempDir(), "records.db") },
		"Postgres": func() string { address, _ := postgres(b); return address },
		"MariaDB":  func() string { address, _ := mariadb(b); return address },
	} {
		b.Run(name, func(b *testing.B) {
			s, err := open.Driver(b.Context(), address())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var keys atomic.Int64
			value := make([]byte, 200)
			turn := func(pb *testing.PB) {
				for pb.Next() {
					r := driver.Record{Key: fmt.Sprint("key/", keys.Add(1)), Value: value}
					var err error
					if r.Version, err = s.Put(b.Context(), r); err == nil {
						_, err = s.Put(b.Context(), r)
					}
					if err == nil {
						_, err = s.Get(b.Context(), r.Key)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			}
			for _, parallel := range []int{1, 16} {
				b.Run(fmt.Sprint(parallel), func(b *testing.B) {
					b.SetParallelism(parallel) // times GOMAXPROCS
					b.RunParallel(turn)
				})
			}
		})
	}
}
