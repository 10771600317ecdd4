package sqsserver

import (
	"fmt"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

const xmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// writeReply writes an action's reply, which is in JSON, in XML.
func (o *operation) writeReply(w *awsquery.Writer, action string, reply []byte, id string) error {
	d := &decoder{b: reply}
	var result func(*awsquery.Writer)
	if o.out != nil {
		result = func(w *awsquery.Writer) { writeMembers(w, d, o.out) }
	}
	w.Reply(xmlNamespace, action, id, result)
	if err := d.done(); err != nil {
		return fmt.Errorf("the reply of %s is not JSON: %s", action, err) //nolint:errorlint // it is no answer to the client
	}
	return nil
}

// writeMembers writes the next structure of a reply. What the shape does not
// know is left out.
func writeMembers(w *awsquery.Writer, d *decoder, s *shape) {
	d.object(func(name []byte) {
		for i := range s.members {
			if m := &s.members[i]; m.name == string(name) {
				writeValue(w, d, m.tag, m.shape)
				return
			}
		}
		d.skip()
	})
}

// writeValue writes the next value of a reply. Lists and maps are flattened.
func writeValue(w *awsquery.Writer, d *decoder, tag string, s *shape) {
	switch s.is {
	case isStructure:
		w.Begin(tag)
		writeMembers(w, d, s)
		w.End()
	case isList:
		d.list(func() { writeValue(w, d, tag, s.of) })
	case isMap:
		d.object(func(name []byte) {
			w.Begin(tag)
			w.Text(s.key, string(name))
			writeValue(w, d, s.value, s.of)
			w.End()
		})
	case isText:
		w.Text(tag, d.str())
	default: // integers and booleans read the same in XML
		d.space()
		start := d.i
		d.skip()
		w.Text(tag, string(d.b[start:d.i]))
	}
}

// writeFault writes an error in XML.
func (e *apiError) writeFault(w *awsquery.Writer, id string) {
	message := e.message
	if e.kind == queueDoesNotExist {
		message = "The specified queue does not exist for this wsdl version." // only in this protocol
	}
	w.Fault(xmlNamespace, &awsquery.Fault{Status: e.status(), Code: e.queryCode(), Message: message, Detail: true}, id)
}
