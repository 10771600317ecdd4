package diskqueue

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// secret is what a store draws once, at its making.
type secret [24]byte

func newSecret() (s secret) {
	rand.Read(s[:]) // never fails
	return s
}

const tagMask = 1<<26 - 1

// identity turns message numbers into ids and receives into receipts.
type identity struct {
	tag   uint64 // 26 bits, so that ids of two stores differ
	block cipher.Block
}

func newIdentity(s secret) (identity, error) {
	block, err := aes.NewCipher(s[:16])
	return identity{tag: binary.LittleEndian.Uint64(s[16:]) & tagMask, block: block}, err
}

// id is a UUID of version 7 (RFC 9562): milliseconds of sending, then in place
// of random bits the message's number and the store's tag. So the number can
// be read off the id, and no table from one to the other is needed.
func (k identity) id(seq uint64, sent int64) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], uint64(sent)<<16|0x7000|seq>>36)
	binary.BigEndian.PutUint64(u[8:], 1<<63|(seq&(1<<36-1))<<26|k.tag)
	return u.String()
}

// parseID returns number and time of sending; false if it is no id of this store.
func (k identity) parseID(id string) (seq uint64, sent int64, ok bool) {
	seq, sent, tag, ok := splitID(id)
	if !ok || tag != k.tag {
		return 0, 0, false
	}
	return seq, sent, true
}

// splitID returns what an id of any store is made of.
func splitID(id string) (seq uint64, sent int64, tag uint64, ok bool) {
	u, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return 0, 0, 0, false
	}
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	if hi&0xf000 != 0x7000 || lo>>62 != 2 {
		return 0, 0, 0, false
	}
	return (hi&0xfff)<<36 | lo>>26&(1<<36-1), int64(hi >> 16), lo & tagMask, true
}

// setTag gives the store the tag of another, whose ids it takes over.
func (s *secret) setTag(tag uint64) {
	v := binary.LittleEndian.Uint64(s[16:])
	binary.LittleEndian.PutUint64(s[16:], v&^tagMask|tag)
}

// receipt names one receive of one message.
type receipt struct {
	uid   uint32
	seq   uint64
	token uint64
}

// A handle is a version, the three numbers, and a checksum only this store can
// make: CBC-MAC with AES-128 over one fixed length.
const (
	handleVersion = 1
	handleLen     = 32
)

var handleText = base64.RawURLEncoding

func (k identity) handle(r receipt) string {
	var b [handleLen]byte
	b[0] = handleVersion
	binary.LittleEndian.PutUint32(b[1:], r.uid)
	binary.LittleEndian.PutUint64(b[5:], r.seq)
	binary.LittleEndian.PutUint64(b[13:], r.token)
	binary.LittleEndian.PutUint64(b[24:], k.mac(&b))
	return handleText.EncodeToString(b[:])
}

// mac covers the first 24 bytes.
func (k identity) mac(b *[handleLen]byte) uint64 {
	var x [16]byte
	k.block.Encrypt(x[:], b[:16])
	for i := range 8 {
		x[i] ^= b[16+i]
	}
	k.block.Encrypt(x[:], x[:])
	return binary.LittleEndian.Uint64(x[:])
}

// parseHandle checks that this store issued the handle, for this queue.
func (k identity) parseHandle(s string, uid uint32) (receipt, error) {
	var b [handleLen]byte
	if len(s) != handleText.EncodedLen(handleLen) {
		return receipt{}, fmt.Errorf("%w: wrong length", driver.ErrReceiptInvalid)
	}
	if _, err := handleText.Strict().Decode(b[:], []byte(s)); err != nil {
		return receipt{}, fmt.Errorf("%w: not a receipt", driver.ErrReceiptInvalid)
	}
	r := receipt{
		uid:   binary.LittleEndian.Uint32(b[1:]),
		seq:   binary.LittleEndian.Uint64(b[5:]),
		token: binary.LittleEndian.Uint64(b[13:]),
	}
	if b[0] != handleVersion || binary.LittleEndian.Uint64(b[24:]) != k.mac(&b) {
		return receipt{}, fmt.Errorf("%w: not issued here", driver.ErrReceiptInvalid)
	}
	if r.uid != uid {
		return receipt{}, fmt.Errorf("%w: issued by another queue", driver.ErrReceiptInvalid)
	}
	return r, nil
}
