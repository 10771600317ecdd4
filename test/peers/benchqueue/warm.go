package main

import (
	"log"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// warm has a server do all that will be measured until it has used so much
// processor time, or four times as long has passed: a virtual machine compiles
// what is used often.
func (s *server) warm(lasts time.Duration) error {
	c := s.client(1)
	defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	q, err := makeQueue(c)
	if err != nil {
		return err
	}
	defer dropQueue(c, q)
	var requests [3][]byte
	for i, prepare := range []func(*maker) ([]byte, error){(*maker).send, (*maker).sendTen, (*maker).sendByQuery} {
		if requests[i], err = prepare(newMaker(s, q)); err != nil {
			return err
		}
	}
	turn := lasts / 10
	for begun, cpu := time.Now(), s.CPU(); s.CPU()-cpu < lasts && time.Since(begun) < 4*lasts; {
		for _, r := range requests {
			found, err := s.measure(sdkClients, turn/2, func(c *conn) (int, error) { _, err := c.do(r); return 1, err })
			if err != nil {
				return err
			}
			log.Printf("%s warms up: %s requests/s, %.0f cpu-µs each", s.name, turns.Short(found.Rate()), found.Each(found.Server))
		}
		_, handles, err := s.receive(q, turn, filled)
		if err == nil {
			_, err = s.remove(q, handles, turn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
