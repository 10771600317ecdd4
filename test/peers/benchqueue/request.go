package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// body of every message: 200 bytes.
var body = strings.Repeat("m", 200)

// maker makes requests on a queue: signed, whole, as bytes to write to a
// connection. A signature holds for 15 minutes.
type maker struct {
	s      *server
	queue  string // URL
	signer *v4.Signer
}

func newMaker(s *server, queue string) *maker {
	return &maker{s: s, queue: queue, signer: v4.NewSigner()}
}

// json is a request of the JSON protocol; arguments beside the queue's URL.
func (m *maker) json(action string, arguments map[string]any) ([]byte, error) {
	a := map[string]any{"QueueUrl": m.queue}
	for k, v := range arguments {
		a[k] = v
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return m.sign(text, "application/x-amz-json-1.0", "AmazonSQS."+action)
}

// query is a request of the older query protocol.
func (m *maker) query(action string, arguments url.Values) ([]byte, error) {
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}, "QueueUrl": {m.queue}}
	for k, v := range arguments {
		form[k] = v
	}
	return m.sign([]byte(form.Encode()), "application/x-www-form-urlencoded; charset=utf-8", "")
}

func (m *maker) sign(text []byte, contentType, target string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, m.s.url()+"/", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256(text)
	if err := m.signer.SignHTTP(context.Background(), m.s.keys, r, hex.EncodeToString(sum[:]), "sqs", m.s.region, time.Now()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = r.Write(&out)
	return out.Bytes(), err
}

func (m *maker) send() ([]byte, error) {
	return m.json("SendMessage", map[string]any{"MessageBody": body})
}

func (m *maker) sendByQuery() ([]byte, error) {
	return m.query("SendMessage", url.Values{"MessageBody": {body}})
}

type entry struct {
	Id                     string //nolint:revive // a name of the protocol
	MessageBody            string `json:",omitempty"`
	ReceiptHandle          string `json:",omitempty"`
	MessageGroupId         string `json:",omitempty"` //nolint:revive // likewise
	MessageDeduplicationId string `json:",omitempty"` //nolint:revive // likewise
}

func (m *maker) sendTen() ([]byte, error) {
	var entries []entry
	for i := range 10 {
		entries = append(entries, entry{Id: fmt.Sprint(i), MessageBody: body})
	}
	return m.json("SendMessageBatch", map[string]any{"Entries": entries})
}

func (m *maker) sendFIFO(group, id string) ([]byte, error) {
	return m.json("SendMessage", map[string]any{"MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": id})
}

func (m *maker) receive(n int) ([]byte, error) {
	return m.json("ReceiveMessage", map[string]any{"MaxNumberOfMessages": n, "VisibilityTimeout": 3600})
}

func (m *maker) remove(handle string) ([]byte, error) {
	return m.json("DeleteMessage", map[string]any{"ReceiptHandle": handle})
}
