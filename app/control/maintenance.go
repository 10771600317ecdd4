package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Maintain is the body of POST /maintenance.
type Maintain struct {
	On      bool     `json:"on"`
	Message string   `json:"message,omitempty"` // for people, at most 1,000 bytes; "": the edge's own
	Allow   []string `json:"allow,omitempty"`   // networks (CIDR) or addresses that see the site
	Token   bool     `json:"token,omitempty"`   // also make an address by which the team gets in
	By      string   `json:"by,omitempty"`
}

// Maintenance is the answer to POST and GET /maintenance.
type Maintenance struct {
	On      bool      `json:"on"`
	Changed bool      `json:"changed"` // by this request
	Message string    `json:"message,omitempty"`
	Allow   []string  `json:"allow,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	By      string    `json:"by,omitempty"`
	Pass    string    `json:"pass,omitempty"` // the address that was asked for
	Until   time.Time `json:"until,omitzero"` // when it ends
}

// Maintain begins, changes or ends maintenance.
func (c *Client) Maintain(ctx context.Context, m Maintain) (Maintenance, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var is Maintenance
	answer, err := c.do(ctx, http.MethodPost, "/maintenance", m)
	if err != nil {
		return is, err
	}
	defer answer.Body.Close()
	return is, json.NewDecoder(answer.Body).Decode(&is)
}

// Maintenance says whether the site is in maintenance.
func (c *Client) Maintenance(ctx context.Context) (Maintenance, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var is Maintenance
	return is, c.get(ctx, "/maintenance", &is)
}
