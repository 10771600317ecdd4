package dash

// WaitingText is how many rows wait.
func (o Outbox) WaitingText() string { return o.rows(o.Waiting) }

// SetAsideText is how many rows cannot be sent.
func (o Outbox) SetAsideText() string { return o.rows(o.SetAside) }

func (o Outbox) rows(n int) string {
	if o.Most > 0 && n >= o.Most {
		return count(n) + " rows or more"
	}
	return plural(n, "row")
}
