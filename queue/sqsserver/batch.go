package sqsserver

import (
	"fmt"
	"strconv"
)

const (
	maxBatch = 10
	// largeBatch is how many entries a client may put in one request that asks
	// for it in a header of dayfly's own. Bytes are bounded as ever.
	largeBatch = 100
	// entriesHeader asks for large batches, whatever its value. Answers to those
	// who ask, and to nobody else, have it too and say how many entries are taken.
	entriesHeader = "X-Dayfly-Entries"
)

var largeBatchOffer = []string{strconv.Itoa(largeBatch)} // shared by all replies, never written to

// maxEntries is how many entries this request may have.
func (c *call) maxEntries() int {
	if len(c.r.Header[entriesHeader]) > 0 {
		return largeBatch
	}
	return maxBatch
}

// entryID is the Id of an entry. One that is not there is refused in other
// words than one that is empty.
type entryID struct {
	text  string
	given bool
}

func (id *entryID) decode(d *decoder) {
	id.given = !d.null()
	id.text = ifGiven(d, id.given)
}

// ifGiven reads a text that is not null.
func ifGiven(d *decoder, given bool) string {
	if !given {
		return ""
	}
	return d.str()
}

// checkBatch applies the rules that refuse a batch as a whole.
func checkBatch[E any](entries []E, most int, id func(*E) entryID, entryName string) error {
	if len(entries) == 0 {
		return &apiError{emptyBatchRequest, "There should be at least one " + entryName + " in the request."}
	}
	if len(entries) > most {
		return &apiError{tooManyEntries, fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", most, len(entries))}
	}
	for i := range entries {
		x := id(&entries[i])
		if !x.given {
			return missingParameter(entryMember(entryName, i, "Id"))
		}
		if !goodEntryID(x.text) {
			return &apiError{invalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. " +
				"It can be at most 80 letters long."}
		}
		for j := range i {
			if id(&entries[j]).text == x.text {
				return &apiError{batchEntryIDsNotDistinct, "Id " + x.text + " repeated."}
			}
		}
	}
	return nil
}

// entryMember names a member of the i-th entry as the query protocol does.
func entryMember(entryName string, i int, member string) string {
	return entryName + "." + strconv.Itoa(i+1) + "." + member
}

func goodEntryID(s string) bool {
	if len(s) < 1 || len(s) > 80 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// writeBatch writes the reply: entries that went well, each by success, and
// those that did not. Of the two lists there is only what is not empty.
func writeBatch[E any](c *call, e *encoder, entries []E, outcome func(*E) (id string, failed error), success func(*E)) {
	e.begin()
	failures := 0
	for i := range entries {
		id, failed := outcome(&entries[i])
		if failed != nil {
			failures++
			continue
		}
		if i == failures {
			e.beginList("Successful")
		}
		e.begin()
		e.str("Id", id)
		if success != nil {
			success(&entries[i])
		}
		e.end()
	}
	if failures < len(entries) {
		e.endList()
	}
	if failures > 0 {
		e.beginList("Failed")
		for i := range entries {
			if id, failed := outcome(&entries[i]); failed != nil {
				a := c.failure(failed)
				e.begin()
				e.str("Id", id)
				e.boolean("SenderFault", a.kind.status < 500)
				e.str("Code", a.query)
				e.str("Message", a.message)
				e.end()
			}
		}
		e.endList()
	}
	e.end()
}

// batchTooLong refuses a batch whose messages are too large together.
func batchTooLong(max, total int) error {
	return &apiError{batchRequestTooLong, "Batch requests cannot be longer than " + strconv.Itoa(max) +
		" bytes. You have sent " + strconv.Itoa(total) + " bytes."}
}
