package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Effect is one that a person has to see to; GET /unknown answers a list of them.
type Effect struct {
	Key string `json:"key"`
	// State is "unknown", or "sending" by a worker that says nothing any more; or
	// "sent" or "not-sent" where only dead letters are still to be sent back.
	State   string    `json:"state"`
	Policy  string    `json:"policy"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Worker  string    `json:"worker"`
	Task    string    `json:"task"`
	Run     string    `json:"run"`
	Queue   string    `json:"queue"`
	Error   string    `json:"error"`
}

// Resolve is the body of POST /resolve: a person's word about an effect.
type Resolve struct {
	Key  string `json:"key"`
	Sent bool   `json:"sent"` // it happened; else it is to happen again
	By   string `json:"by"`
}

// Resolved is the answer to POST /resolve.
type Resolved struct {
	Key      string `json:"key"`
	State    string `json:"state"`
	Queue    string `json:"queue"`
	Already  bool   `json:"already"`  // it was on record as that before
	Redriven int    `json:"redriven"` // dead letters sent back to the queue
	Note     string `json:"note,omitempty"`
}

// Unknown lists the effects a person has to decide about.
func (c *Client) Unknown(ctx context.Context) ([]Effect, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var found []Effect
	err := c.get(ctx, "/unknown", &found)
	return found, err
}

// Resolve puts a person's word on record.
func (c *Client) Resolve(ctx context.Context, r Resolve) (Resolved, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var done Resolved
	answer, err := c.do(ctx, http.MethodPost, "/resolve", r)
	if err != nil {
		return done, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&done)
	return done, err
}
