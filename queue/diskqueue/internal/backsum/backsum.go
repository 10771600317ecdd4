// Package backsum runs a CRC32C backwards: from the checksum and the bytes to
// the value the checksum was started with. Where the start is a secret of the
// file's head, and the head is damaged, any whole record gives it back.
package backsum

import "hash/crc32"

var table = crc32.MakeTable(crc32.Castagnoli)

// inverse is the index of the table's entry by its highest byte, each of which
// is there once.
var inverse = func() (index [256]byte) {
	for i, v := range table {
		index[v>>24] = byte(i)
	}
	return index
}()

// Start returns the value with which crc32.Update(start, castagnoli, b) is sum.
func Start(sum uint32, b []byte) uint32 {
	crc := ^sum
	for i := len(b) - 1; i >= 0; i-- {
		k := inverse[crc>>24]
		crc = (crc^table[k])<<8 | uint32(k^b[i])
	}
	return ^crc
}
