package edge

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// switchProtocols passes a 101 on and then bytes both ways until either side
// ends, the client goes away or the target is removed.
func (d *delivery) switchProtocols(res *http.Response) *failure {
	x := d.x
	if d.upgrade == "" || !lists(res.Header["Upgrade"], firstProtocol(d.upgrade)) {
		return d.diagnose(errors.New("target switched to a protocol that was not asked for"), garbled)
	}
	client, buffered, err := http.NewResponseController(x.out).Hijack()
	if err != nil {
		return d.diagnose(err, garbled)
	}
	defer client.Close()
	x.headed(http.StatusSwitchingProtocols, res.Header)
	x.status = http.StatusSwitchingProtocols
	x.first = time.Since(x.start)
	d.stream = true
	d.e.streaming(d.t)

	upgrade := res.Header["Upgrade"]
	stripHop(res.Header)
	x.origin.tell(res.Header)
	res.Header.Set("Connection", "Upgrade")
	res.Header["Upgrade"] = upgrade
	if _, err := io.WriteString(client, "HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return nil
	}
	if err := res.Header.Write(client); err != nil {
		return nil
	}
	if _, err := io.WriteString(client, "\r\n"); err != nil {
		return nil
	}
	client.SetDeadline(time.Time{})
	d.c.unbound()

	done := make(chan struct{})
	go func() { // ends when either connection is closed, which follows below
		defer close(done)
		io.Copy(d.c.Conn, buffered.Reader) //nolint:errcheck // any end is the end
		d.c.Close()
	}()
	n, _ := io.Copy(client, d.c.br)
	x.bytes = n
	client.Close()
	<-done
	return nil
}

func firstProtocol(upgrade string) string {
	first, _, _ := strings.Cut(upgrade, ",")
	return strings.TrimSpace(first)
}
