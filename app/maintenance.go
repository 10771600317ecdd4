package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
)

const (
	maintenanceFile = "maintenance.json" // doc/formats/data-folder.md
	passValid       = 24 * time.Hour     // that an address for the team is good for
	maxMessage      = 1000               // bytes
	maxAllow        = 100                // networks
)

// maintenance is the file of that name, and the state while it is there.
type maintenance struct {
	Message string    `json:"message"`
	Allow   []string  `json:"allow"`
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
	Key     []byte    `json:"key"` // signs what lets the team in
}

// maintaining guards changes of a site's maintenance, and its file.
type maintaining struct {
	mu  sync.Mutex
	now *maintenance // nil: none
}

// resumeMaintenance continues what an earlier run was in.
func (a *App) resumeMaintenance() error {
	text, err := os.ReadFile(a.data.path(maintenanceFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var m maintenance
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err == nil {
		err = a.maintain(&m)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; remove the file to end maintenance", a.data.path(maintenanceFile), err)
	}
	a.progress("the site is in maintenance since " + m.Since.Local().Format(time.DateTime) + "; `dayfly maintenance off` ends it")
	return nil
}

// maintain puts the edge into maintenance, or with nil out of it.
func (a *App) maintain(m *maintenance) error {
	if m == nil {
		a.edge.SetMaintenance(nil)
		a.maintenance.now = nil
		return nil
	}
	is := &edge.Maintenance{Message: m.Message, Key: m.Key}
	for _, s := range m.Allow {
		p, err := network(s)
		if err != nil {
			return err
		}
		is.Allow = append(is.Allow, p)
	}
	a.edge.SetMaintenance(is)
	a.maintenance.now = m
	return nil
}

// network reads "192.0.2.0/24", or one address.
func network(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network such as 192.0.2.0/24 nor an address", s)
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Maintain begins, changes or ends maintenance. It lasts until it is ended,
// over restarts of dayfly.
func (a *App) Maintain(want control.Maintain) (control.Maintenance, error) {
	if a.edge == nil {
		return control.Maintenance{}, errors.New("the application has no site: no process has http = true")
	}
	a.maintenance.mu.Lock()
	defer a.maintenance.mu.Unlock()
	before := a.maintenance.now
	if !want.On {
		if before != nil {
			if err := os.Remove(a.data.path(maintenanceFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return control.Maintenance{}, err
			}
			a.log.Info("maintenance over", "by", want.By, "after", time.Since(before.Since).Round(time.Second))
		}
		return control.Maintenance{Changed: before != nil}, a.maintain(nil)
	}
	if len(want.Message) > maxMessage || len(want.Allow) > maxAllow {
		return control.Maintenance{}, fmt.Errorf("a message has at most %d bytes, and at most %d networks are allowed", maxMessage, maxAllow)
	}
	m := &maintenance{Message: want.Message, Allow: want.Allow, Since: time.Now().UTC().Truncate(time.Second), By: want.By, Key: make([]byte, 32)}
	if before != nil {
		m.Since, m.Key = before.Since, before.Key // cookies that were given stay good
	} else {
		rand.Read(m.Key)
	}
	for _, s := range m.Allow {
		if _, err := network(s); err != nil {
			return control.Maintenance{}, err
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return control.Maintenance{}, err
	}
	if err := writeFile(a.data.path(maintenanceFile), append(text, '\n'), 0o600); err != nil {
		return control.Maintenance{}, err
	}
	if err := a.maintain(m); err != nil {
		return control.Maintenance{}, err
	}
	changed := before == nil || before.Message != m.Message || !slices.Equal(before.Allow, m.Allow)
	if changed {
		a.log.Info("maintenance", "by", want.By, "message", m.Message, "allow", m.Allow)
	}
	is := m.told()
	is.Changed = changed
	if want.Token {
		is.Until = time.Now().Add(passValid).UTC().Truncate(time.Second)
		is.Pass = strings.TrimSuffix(a.variables.get("SITE_URL"), "/") + (&edge.Maintenance{Key: m.Key}).Pass(is.Until)
	}
	return is, nil
}

func (m *maintenance) told() control.Maintenance {
	if m == nil {
		return control.Maintenance{}
	}
	return control.Maintenance{On: true, Message: m.Message, Allow: m.Allow, Since: m.Since, By: m.By}
}

// Maintenance says whether the site is in maintenance.
func (a *App) Maintenance() control.Maintenance {
	a.maintenance.mu.Lock()
	defer a.maintenance.mu.Unlock()
	return a.maintenance.now.told()
}

// Maintenance is what the dashboard shows.
func (v view) Maintenance() *dash.Maintenance {
	m := v.app.Maintenance()
	if v.app.edge == nil {
		return nil
	}
	return &dash.Maintenance{On: m.On, Message: m.Message, Since: m.Since, By: m.By}
}

// Maintain begins or ends maintenance for the dashboard. It leaves who is
// allowed as it was.
func (v view) Maintain(_ context.Context, on bool, message string) error {
	_, err := v.app.Maintain(control.Maintain{On: on, Message: message, Allow: v.app.Maintenance().Allow, By: "the dashboard"})
	return err
}

func (c *controller) maintenance(w http.ResponseWriter, _ *http.Request) {
	reply(w, c.app.Maintenance())
}

func (c *controller) maintain(w http.ResponseWriter, r *http.Request) {
	var want control.Maintain
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	is, err := c.app.Maintain(want)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, is)
}
