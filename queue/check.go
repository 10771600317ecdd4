package queue

// CheckQueue says, by an *InvalidError, why a queue of that name with these
// attributes, all meant as they stand, and tags cannot be; nil if it can. For
// programs that make queues by another way than Service, such as an import.
func CheckQueue(name string, a Attributes, tags map[string]string) error {
	if err := checkQueue(name, a); err != nil {
		return err
	}
	return checkTags(tags)
}

// CheckMessage says, by an *InvalidError, why the queue of that name cannot hold
// the message; nil if it can.
func CheckMessage(name string, m Outgoing) error {
	if err := checkName("queue", name); err != nil {
		return err
	}
	return checkOutgoing(name, []Outgoing{m})
}
