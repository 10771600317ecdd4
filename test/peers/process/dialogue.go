package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Dialogue is a process that is told what to do, a line of JSON at a time on
// its standard input, and answers each with one on its standard output. An
// answer with a field Error that is not "" is an error.
type Dialogue struct {
	*Process
	orders  io.WriteCloser
	answers *json.Decoder
}

// Talk starts a process and reads its first answer, which it gives when it is
// ready, into first.
func Talk(log string, cmd *exec.Cmd, first any) (*Dialogue, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe: its Wait would close the pipe under the reader.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = write
	p, err := Start(log, cmd)
	write.Close()
	if err != nil {
		return nil, err
	}
	d := &Dialogue{Process: p, orders: in, answers: json.NewDecoder(bufio.NewReader(read))}
	if err := d.next(first); err != nil {
		d.Kill()
		return nil, err
	}
	return d, nil
}

// Tell gives an order and reads the answer.
func (d *Dialogue) Tell(order, answer any) error {
	if err := json.NewEncoder(d.orders).Encode(order); err != nil {
		return d.silent(err)
	}
	return d.next(answer)
}

func (d *Dialogue) next(answer any) error {
	var raw json.RawMessage
	if err := d.answers.Decode(&raw); err != nil {
		return d.silent(err)
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(raw, &failed); err != nil {
		return err
	}
	if failed.Error != "" {
		return errors.New(failed.Error)
	}
	return json.Unmarshal(raw, answer)
}

// silent explains why nothing can be read or written.
func (d *Dialogue) silent(err error) error {
	text, _ := os.ReadFile(d.Log)
	return fmt.Errorf("the process %v does not answer: %w\n%s", d.cmd.Args, err, Tail(text))
}

// End closes the process's input and waits until it has ended.
func (d *Dialogue) End() {
	d.orders.Close()
	d.wait()
}
