package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn sends requests that were prepared and reads the replies, with as little
// work of its own as a client can do: what is measured is the server.
type conn struct {
	host string
	c    net.Conn
	r    *bufio.Reader
	body []byte
	last bool // the server closes after this reply
}

func dial(host string) *conn { return &conn{host: host, last: true} }

func (c *conn) open() (err error) {
	c.close()
	if c.c, err = net.DialTimeout("tcp", c.host, 10*time.Second); err != nil {
		return err
	}
	if c.r == nil {
		c.r = bufio.NewReaderSize(c.c, 32<<10)
	}
	c.r.Reset(c.c)
	return nil
}

func (c *conn) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// patience is how long a reply may take.
const patience = time.Minute

// do sends a request and returns the reply's body, valid until the next. A
// reply other than 200 is an error.
func (c *conn) do(request []byte) ([]byte, error) {
	if c.last {
		if err := c.open(); err != nil {
			return nil, err
		}
	}
	if err := c.c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.c.Write(request); err != nil {
		return nil, err
	}
	status, length, err := c.head()
	if err != nil {
		return nil, err
	}
	if length < 0 { // to the end of the connection
		c.last = true
		c.body, err = io.ReadAll(c.r)
	} else {
		if cap(c.body) < length {
			c.body = make([]byte, length)
		}
		c.body = c.body[:length]
		_, err = io.ReadFull(c.r, c.body)
	}
	if err == nil && status != 200 {
		err = fmt.Errorf("reply %d: %.500s", status, c.body)
	}
	return c.body, err
}

// head reads the status line and the headers; length is -1 where there is none.
func (c *conn) head() (status, length int, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	if len(rest) < 3 {
		return 0, 0, errors.New("the reply is not HTTP")
	}
	if status, err = strconv.Atoi(string(rest[:3])); err != nil {
		return 0, 0, err
	}
	c.last = !bytes.Equal(version, []byte("HTTP/1.1"))
	for length = -1; ; {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			return status, length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case len(name) == 14 && strings.EqualFold(string(name), "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > 64<<20 {
				return 0, 0, fmt.Errorf("Content-Length %q", value)
			}
		case len(name) == 10 && strings.EqualFold(string(name), "Connection"):
			c.last = strings.EqualFold(string(value), "close")
		}
	}
}

// conns are the connections of one load.
type conns []*conn

func dialAll(host string, n int) conns {
	all := make(conns, n)
	for i := range all {
		all[i] = dial(host)
	}
	return all
}

func (all conns) close() {
	for _, c := range all {
		c.close()
	}
}

// handles are the receipt handles in a reply to ReceiveMessage.
func handles(reply []byte) (list []string) {
	for {
		_, rest, ok := bytes.Cut(reply, []byte(`"ReceiptHandle"`))
		if !ok {
			return list
		}
		_, rest, _ = bytes.Cut(rest, []byte(`"`))
		handle, rest, ok := bytes.Cut(rest, []byte(`"`))
		if !ok {
			return list
		}
		list, reply = append(list, string(handle)), rest
	}
}
