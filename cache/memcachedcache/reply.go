package memcachedcache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// ServerError is a reply that refuses a command: "ERROR", "CLIENT_ERROR …",
// "SERVER_ERROR …".
type ServerError struct{ Reply string }

func (e *ServerError) Error() string { return "cache server replied " + strconv.Quote(e.Reply) }

// protocolError is an answer that makes no sense; the connection is of no more use.
type protocolError struct{ got string }

func (e *protocolError) Error() string {
	return "answer is not memcached's: " + strconv.Quote(e.got[:min(len(e.got), 80)])
}

// isAnswer says whether an error is an answer after which the connection is in step.
func isAnswer(err error) bool {
	for _, e := range []error{driver.ErrNotFound, driver.ErrNotStored, driver.ErrConflict, driver.ErrNotNumber, driver.ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// send writes the command in cn.out.
func (cn *conn) send() error {
	_, err := cn.nc.Write(cn.out)
	return err
}

// line reads one line of an answer, without its end. It is valid until the next read.
func (cn *conn) line() ([]byte, error) {
	line, err := cn.r.ReadSlice('\n')
	if err != nil {
		if len(line) > 0 && !errors.Is(err, io.EOF) {
			if len(line) == cn.r.Size() {
				return nil, &protocolError{string(line)}
			}
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// refusal turns a reply that is none of the expected into an error.
func refusal(line []byte) error {
	s := string(line)
	switch {
	case strings.HasPrefix(s, "SERVER_ERROR object too large for cache"):
		return driver.ErrTooLarge
	case strings.HasPrefix(s, "CLIENT_ERROR cannot increment or decrement non-numeric value"):
		return driver.ErrNotNumber
	case s == "ERROR", strings.HasPrefix(s, "ERROR "), strings.HasPrefix(s, "CLIENT_ERROR "), strings.HasPrefix(s, "SERVER_ERROR "):
		// A refused command may leave data behind that the server reads as
		// commands, so the connection is not used again.
		return &ServerError{s}
	}
	return &protocolError{s}
}

// status reads an answer of one word.
func (cn *conn) status(ok string) error {
	line, err := cn.line()
	if err != nil {
		return err
	}
	switch string(line) {
	case ok:
		return nil
	case "NOT_FOUND":
		return driver.ErrNotFound
	case "NOT_STORED":
		return driver.ErrNotStored
	case "EXISTS":
		return driver.ErrConflict
	}
	return refusal(line)
}

// values reads "VALUE …" until "END" and gives each to visit, whose key is
// valid only for the call; the item's value is its own.
func (cn *conn) values(maxValue int, visit func(key []byte, it driver.Item) error) error {
	for {
		line, err := cn.line()
		if err != nil {
			return err
		}
		if string(line) == "END" {
			return nil
		}
		rest, ok := bytes.CutPrefix(line, []byte("VALUE "))
		if !ok {
			return refusal(line)
		}
		key, it, size, ok := parseValue(rest)
		if !ok {
			return &protocolError{string(line)}
		}
		if size > maxValue {
			return fmt.Errorf("%w: the server has %d bytes, the most is %d", driver.ErrTooLarge, size, maxValue)
		}
		var room [256]byte
		name := append(room[:0], key...) // reading on overwrites the line
		if it.Value, err = cn.data(size); err != nil {
			return err
		}
		if err := visit(name, it); err != nil {
			return err
		}
	}
}

// data reads a value and the end of line behind it. The memory grows with what
// arrives, not with what the server announced.
func (cn *conn) data(size int) ([]byte, error) {
	const step = 256 << 10
	v := make([]byte, 0, min(size+2, step))
	for len(v) < size+2 {
		n := min(size+2-len(v), step)
		v = append(v, make([]byte, n)...)
		if _, err := io.ReadFull(cn.r, v[len(v)-n:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	if v[size] != '\r' || v[size+1] != '\n' {
		return nil, &protocolError{string(v[size:])}
	}
	return v[:size:size], nil
}

// parseValue reads "<key> <flags> <bytes> <token>".
func parseValue(rest []byte) (key []byte, it driver.Item, size int, ok bool) {
	var f [4][]byte
	for i := range f {
		word, after, found := bytes.Cut(rest, []byte(" "))
		if len(word) == 0 || found == (i == len(f)-1) {
			return nil, it, 0, false
		}
		f[i], rest = word, after
	}
	flags, err1 := strconv.ParseUint(string(f[1]), 10, 32)
	n, err2 := strconv.ParseUint(string(f[2]), 10, 31)
	token, err3 := strconv.ParseUint(string(f[3]), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || n > math.MaxInt32-2 || token == 0 {
		return nil, it, 0, false
	}
	return f[0], driver.Item{Flags: uint32(flags), CAS: token}, int(n), true
}
