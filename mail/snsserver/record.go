package snsserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A topic's file: a line that names the format and its version, with the
// SHA-256 of the rest, then the topic as JSON. doc/formats/topic.md.
const (
	recordName = "dayfly topic, format "
	recordHead = recordName + "1, sha256 "
	// maxRecord bounds a file, in bytes: the largest topic there can be has
	// 10,000 subscriptions of about 500 bytes, and 200 filters of 256 KiB.
	maxRecord = 128 << 20
)

// errNewer: the file is of a format that this dayfly does not know.
var errNewer = errors.New("its format is not format 1, the only one this dayfly knows: install a newer dayfly; nothing was changed")

func encodeTopic(t *topic) ([]byte, error) {
	body, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	if len(body) > maxRecord/2 {
		return nil, fault(403, "SubscriptionLimitExceeded", "the topic with its subscriptions has more than %d bytes", maxRecord/2)
	}
	return seal(body), nil
}

// seal puts the first line before a body.
func seal(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append([]byte(recordHead+hex.EncodeToString(sum[:])+"\n"), body...)
}

// newer reports whether a file's first line names a format to come.
func newer(line string) bool {
	rest, named := strings.CutPrefix(line, recordName)
	format, _, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(format)
	return named && err == nil && n > 1
}

func decodeTopic(data []byte) (*topic, error) {
	head, body, _ := bytes.Cut(data, []byte("\n"))
	line := string(head)
	switch {
	case len(data) > maxRecord:
		return nil, fmt.Errorf("it has more than %d bytes", maxRecord)
	case newer(line):
		return nil, errNewer
	case !strings.HasPrefix(line, recordHead):
		return nil, errors.New("it does not begin as a topic's file does")
	}
	if sum := sha256.Sum256(body); line[len(recordHead):] != hex.EncodeToString(sum[:]) {
		return nil, errors.New("its checksum is wrong: the file is damaged")
	}
	t := new(topic)
	if err := json.Unmarshal(body, t); err != nil {
		return nil, err
	}
	if !validTopicName(t.Name) {
		return nil, fmt.Errorf("%q is no topic's name", t.Name)
	}
	for i, s := range t.Subscriptions {
		if s == nil || s.ID == "" {
			return nil, fmt.Errorf("subscription %d has no id", i)
		}
		var err error
		if s.filter, err = newFilter(s.Attributes); err != nil {
			return nil, fmt.Errorf("subscription %s: %w", s.ID, err)
		}
	}
	return t, nil
}
