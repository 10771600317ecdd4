package sqsserver

import (
	"crypto/md5"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/dayfly-dev/dayfly/queue"
)

// bodySum is the MD5 that clients compare.
func bodySum(body string) []byte {
	sum := md5.Sum([]byte(body)) // the compiler makes no copy
	return sum[:]
}

// attributesSum is the MD5 of attributes as the developer guide defines it:
// sorted by name, each as length and text of its name and type, one byte for
// the kind of value, length and value. nil when there are none.
func attributesSum(m map[string]queue.Attribute) []byte {
	if len(m) == 0 {
		return nil
	}
	h := md5.New()
	var b []byte
	part := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		a := m[name]
		part(name)
		part(a.DataType)
		if a.Binary != nil {
			b = append(b, 2)
			b = binary.BigEndian.AppendUint32(b, uint32(len(a.Binary)))
			b = append(b, a.Binary...)
		} else {
			b = append(b, 1)
			part(a.String)
		}
		h.Write(b)
		b = b[:0]
	}
	return h.Sum(nil)
}
