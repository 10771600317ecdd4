package snsserver

import "unicode/utf8"

// validText reports whether s is UTF-8 without control characters, line breaks
// among them.
func validText(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// deliverable reports whether SQS takes a text: UTF-8 of the characters of XML
// 1.0 (SendMessage). SNS answers what it does not take with InvalidParameter.
func deliverable(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return utf8.ValidString(s)
}

// validToken: up to 128 of the printable ASCII characters without space, the
// rule for the ids of groups and deduplication.
func validToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
