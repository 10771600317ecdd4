package inbox

import "bufio"

// Kind is what was received.
type Kind string

// The kinds there are.
const (
	KindMail Kind = "mail"
	// KindSMS is a text message to a phone, kept in the form of a mail.
	KindSMS Kind = "sms"
)

// kindField is the first line of a file whose kind is not KindMail. No sender
// can put it there: what a mail begins with itself stands below Return-Path.
const kindField = "Dayfly-Kind: "

// kindOf looks at a file's first line.
func kindOf(r *bufio.Reader) Kind {
	const sms = kindField + string(KindSMS) + "\r\n"
	if line, err := r.Peek(len(sms)); err == nil && string(line) == sms {
		return KindSMS
	}
	return KindMail
}
