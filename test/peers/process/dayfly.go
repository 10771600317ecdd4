package process

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const listen = `name = "bench"
[listen]
edge = "127.0.0.1:0"
dashboard = "127.0.0.1:0"
aws = "127.0.0.1:0"
cache = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`

// StartDayfly runs the binary on an application with the given lines in its
// manifest (further keys of [listen] first, then tables) and its data in
// dir/data, which may hold queues already. It returns when all is up, with the
// environment that processes get.
func StartDayfly(binary, dir, tables string) (*Process, map[string]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "dayfly.toml"), []byte(listen+tables), 0o600); err != nil {
		return nil, nil, err
	}
	data := filepath.Join(dir, "data")
	p, err := Start(filepath.Join(dir, "log"), exec.Command(binary, "up", dir, "--data", data))
	if err != nil {
		return nil, nil, err
	}
	err = p.Until(time.Minute, "up", func() bool {
		text, err := os.ReadFile(p.Log)
		return err == nil && strings.Contains(string(text), " is up (dayfly ")
	})
	if err != nil {
		p.Kill()
		return nil, nil, err
	}
	printed, err := exec.Command(binary, "env", "--json", "--data", data).Output()
	var env map[string]string
	if err == nil {
		err = json.Unmarshal(printed, &env)
	}
	if err != nil {
		p.Kill()
		return nil, nil, fmt.Errorf("dayfly env: %w", err)
	}
	return p, env, nil
}
