package sqsserver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/dayfly-dev/dayfly/queue"
)

// moving are the arguments of StartMessageMoveTask.
type moving struct {
	source      string
	sourced     bool // SourceArn was given
	destination string
	destined    bool
	rate        int // messages a second; absent: no limit
}

func (m *moving) decode(d *decoder) error {
	m.rate = absent
	d.object(func(key []byte) {
		switch string(key) {
		case "SourceArn":
			m.sourced = !d.null()
			m.source = ifGiven(d, m.sourced)
		case "DestinationArn":
			m.destined = !d.null()
			m.destination = ifGiven(d, m.destined)
		case "MaxNumberOfMessagesPerSecond":
			m.rate = d.integer(absent)
		default:
			d.skip()
		}
	})
	return d.done()
}

func startMessageMoveTask(c *call, d *decoder, e *encoder) error {
	var m moving
	if err := m.decode(d); err != nil {
		return err
	}
	if !m.sourced {
		return missingParameter("SourceArn")
	}
	source, err := c.queueOfARN("SourceArn", m.source)
	if err != nil {
		return err
	}
	if m.rate != absent && (m.rate < 1 || m.rate > 500) {
		return notBetween("MaxNumberOfMessagesPerSecond", 500)
	}
	if err := c.isDeadLetterQueue(source); err != nil {
		return err
	}
	move := queue.Move{Source: source, Rate: max(m.rate, 0)}
	if m.destined {
		if move.Destination, err = c.destination(source, m.destination); err != nil {
			return err
		}
	}
	id, err := c.queues.StartMove(c.r.Context(), move)
	if err != nil {
		return c.moveActive(source, err)
	}
	e.begin()
	e.str("TaskHandle", c.taskHandle(id, source))
	e.end()
	return nil
}

// queueOfARN finds the queue that an argument names.
func (c *call) queueOfARN(argument, arn string) (name string, err error) {
	if !isARN(arn) {
		return "", &apiError{invalidParameterValue,
			"You must use this format to specify the " + argument + ": arn:<partition>:<service>:<region>:<account-id>:<resource-id>"}
	}
	missing := &apiError{resourceNotFound, "The resource that you specified for the " + argument + " parameter doesn't exist."}
	name, ok := c.nameOfARN(arn)
	if !ok {
		return "", missing
	}
	_, err = c.queues.Describe(c.r.Context(), name)
	if errors.Is(err, queue.ErrQueueNotFound) || isWrongName(err) {
		return "", missing
	}
	return name, err
}

func (c *call) isDeadLetterQueue(name string) error {
	sources, err := c.sources(name, "", 1)
	if err == nil && len(sources) == 0 {
		err = &apiError{invalidParameterValue, "Source queue must be configured as a Dead Letter Queue."}
	}
	return err
}

// destination finds where messages are to go.
func (c *call) destination(source, arn string) (string, error) {
	name, err := c.queueOfARN("DestinationArn", arn)
	switch {
	case err != nil:
		return "", err
	case name == source:
		return "", &apiError{invalidParameterValue, "Source queue arn and destination queue arn cannot be the same."}
	case isFIFO(name) != isFIFO(source):
		return "", &apiError{invalidParameterValue, "The source queue and destination queue must be of the same queue type."}
	}
	return name, nil
}

// moveActive tells a move of this queue from the many of others.
func (c *call) moveActive(source string, err error) error {
	if !errors.Is(err, queue.ErrMoveActive) {
		return err
	}
	tasks, listErr := c.queues.ListMoves(c.r.Context(), source, 1)
	if listErr == nil && len(tasks) > 0 && tasks[0].Handle != "" {
		return &apiError{invalidParameterValue,
			"There is already a task running. Only one active task is allowed for a source queue arn at a given time."}
	}
	return err
}

func notBetween(argument string, max int) error {
	return &apiError{invalidParameterValue, "Value for parameter " + argument +
		" is invalid. Reason: You must enter a number that's between 1 and " + strconv.Itoa(max) + "."}
}

// taskHandle is JSON in base64, as that of SQS, of which clients read the ARN.
func (c *call) taskHandle(id, source string) string {
	return base64.StdEncoding.EncodeToString([]byte(encodeJSON(struct {
		TaskID    string `json:"taskId"`
		SourceARN string `json:"sourceArn"`
	}{id, c.arn(source)})))
}

func parseTaskHandle(handle string) (id, source string, ok bool) {
	var h struct {
		TaskID    *string `json:"taskId"`
		SourceARN *string `json:"sourceArn"`
	}
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil || json.Unmarshal(b, &h) != nil || h.TaskID == nil || h.SourceARN == nil {
		return "", "", false
	}
	return *h.TaskID, *h.SourceARN, true
}

func cancelMessageMoveTask(c *call, d *decoder, e *encoder) error {
	var handle string
	d.object(func(key []byte) {
		if string(key) == "TaskHandle" {
			handle = d.str()
		} else {
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	if handle == "" {
		return missingParameter("TaskHandle")
	}
	id, arn, ok := parseTaskHandle(handle)
	if !ok {
		return &apiError{invalidParameterValue, "Value for parameter TaskHandle is invalid."}
	}
	source, err := c.queueOfARN("SourceArn", arn)
	if err != nil {
		return err
	}
	// The handle must be of a task of the queue it names; the newest is the only
	// one that can run.
	tasks, err := c.queues.ListMoves(c.r.Context(), source, 1)
	if err != nil {
		return err
	}
	if len(tasks) == 0 || tasks[0].Handle != id || id == "" {
		return queue.ErrMoveNotFound
	}
	moved, err := c.queues.CancelMove(c.r.Context(), id)
	if err != nil {
		return err
	}
	e.begin()
	e.integer("ApproximateNumberOfMessagesMoved", moved)
	e.end()
	return nil
}

// Most tasks that a listing answers with.
const maxTasks = 10

func listMessageMoveTasks(c *call, d *decoder, e *encoder) error {
	var m moving
	most := 1
	d.object(func(key []byte) {
		switch string(key) {
		case "SourceArn":
			m.sourced = !d.null()
			m.source = ifGiven(d, m.sourced)
		case "MaxResults":
			most = d.integer(1)
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	if !m.sourced {
		return missingParameter("SourceArn")
	}
	source, err := c.queueOfARN("SourceArn", m.source)
	if err != nil {
		return err
	}
	if most < 1 || most > maxTasks {
		return notBetween("MaxResults", maxTasks)
	}
	tasks, err := c.queues.ListMoves(c.r.Context(), source, most)
	if err != nil {
		return err
	}
	e.begin()
	if len(tasks) > 0 {
		e.beginList("Results")
		for i := range tasks {
			c.writeTask(e, &tasks[i])
		}
		e.endList()
	}
	e.end()
	return nil
}

// writeTask writes a task. A handle is only for those that can be cancelled.
func (c *call) writeTask(e *encoder, t *queue.MoveTask) {
	e.begin()
	if t.Status == queue.MoveRunning {
		e.str("TaskHandle", c.taskHandle(t.Handle, t.Source))
	}
	e.str("Status", string(t.Status))
	e.str("SourceArn", c.arn(t.Source))
	if t.Destination != "" {
		e.str("DestinationArn", c.arn(t.Destination))
	}
	if t.Rate > 0 {
		e.integer("MaxNumberOfMessagesPerSecond", int64(t.Rate))
	}
	e.integer("ApproximateNumberOfMessagesMoved", t.Moved)
	e.integer("ApproximateNumberOfMessagesToMove", t.ToMove)
	e.some("FailureReason", t.Failure)
	e.integer("StartedTimestamp", t.Started.UnixMilli())
	e.end()
}
